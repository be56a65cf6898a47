/**
 * References of the DINO loss.
 *
 * @module
 */
import { Bounded, exact, Sum, sum } from "../bounded.ts";
import { type Fill, type Given, type Part, type Reference, SCALARS, ZEROS } from "../reference.ts";

/** (max, log Σ, Σ, Σ exp · below) of a row, as dino_stats leaves them. */
export const STATE: Fill = (draw) =>
  draw.each((i) => [4 + draw.next(), 1 + draw.next(), 3 + 4 * draw.next(), 2 + draw.next()][i % 4]);
/** Weights of rows, some of them 0. */
export const WEIGHTS: Fill = (draw) => draw.each((i) => i % 4 === 3 ? 0 : 0.5 + draw.next());
export const PROBABILITIES: Fill = (draw) => draw.uniform(0.001, 0.1);

/** A row's columns at temperature `temp`, less the centre. */
export function logits(
  g: Given,
  name: string,
  row: number,
  temp: number,
  centered = true,
): Bounded[] {
  const { dim } = g.p, x = g.f(name);
  return Array.from({ length: dim }, (_, k) => {
    let v = exact(x[row * dim + k]);
    if (centered) v = v.sub(g.f("center")[k]);
    return v.div(temp);
  });
}

/** q of a teacher's row. */
export function targets(g: Given, row: number): Bounded[] {
  const temp = g.f("scalars")[g.p.teacher_temp], state = g.f("teacher_state");
  return logits(g, "teacher", row, temp)
    .map((z) => z.sub(state[4 * row]).exp().div(state[4 * row + 2]));
}

/** −log of a sum's part that the pair of a chunk gets. */
export function pairOf(g: Given, at: number, cross: Bounded, lse: number): Bounded {
  return cross.add(g.p.first ? lse : g.f("pair")[at]);
}

function stats(g: Given): Part[] {
  const { rows, dim, temp_index, first } = g.p;
  const temp = g.f("scalars")[temp_index];
  return [{
    count: rows,
    cost: 4 * dim,
    at(r, expect) {
      const all = logits(g, "x", r, temp, g.c("CENTERED", 1) !== 0);
      let top = all.reduce((most, z) => z.v > most.v ? z : most);
      const powers = all.map((z) => z.sub(top));
      const e = powers.map((z) => z.exp());
      let total = sum(dim, (k) => e[k]);
      let below = sum(dim, (k) => e[k].mul(powers[k].neg()));
      if (!first) {
        const [oldTop, , oldSum, oldBelow] = g.f("state").subarray(4 * r, 4 * r + 4);
        const high = top.max(oldTop);
        const was = high.sub(oldTop), now = high.sub(top);
        below = exact(oldBelow).add(was.mul(oldSum)).mul(was.neg().exp())
          .add(below.add(total.mul(now)).mul(now.neg().exp()));
        total = was.neg().exp().mul(oldSum).add(total.mul(now.neg().exp()));
        top = high;
      }
      const lse = total.log();
      [top, lse, total, below].forEach((v, i) => expect("state", 4 * r + i, v));
      expect("entropy", r, below.div(total).add(lse));
    },
  }];
}

function student(g: Given): Part[] {
  const { rows, dim, batch, globals, views, whole_batch } = g.p;
  const scalars = g.f("scalars"), temp = scalars[g.p.student_temp];
  const inPlace = g.c("IN_PLACE") !== 0;
  return [{
    count: rows,
    cost: 6 * dim * globals,
    at(r, expect) {
      const [view, b] = [Math.floor(r / batch), r % batch];
      const own = g.f("student_state").subarray(4 * r, 4 * r + 4);
      const down = logits(g, inPlace ? "out" : "student", r, temp, false)
        .map((z) => exact(own[0]).sub(z));
      const count = globals - (view < globals ? 1 : 0);
      const scale = exact(1).div(exact(temp).mul(globals * (views - 1)).mul(whole_batch));
      const sums = Array.from({ length: dim }, () => new Sum());
      for (let t = 0; t < globals; t++) {
        const at = t * rows + r;
        if (t === view) {
          expect("pair", at, pairOf(g, at, exact(0), 0));
          continue;
        }
        const q = targets(g, t * batch + b);
        q.forEach((x, k) => sums[k].add(x));
        expect("pair", at, pairOf(g, at, sum(dim, (k) => q[k].mul(down[k])), own[1]));
      }
      down.forEach((d, k) => {
        const p = d.neg().exp().div(own[2]);
        // Beyond two teacher views the rest of the sum is taken off afterwards.
        const all = sums[k].value;
        const v = p.mul(count).sub(all).mul(scale);
        const passes = Math.ceil(globals / 2) - 1;
        const more = passes * 2 ** -23 *
          (Math.abs(p.v * count * scale.v) + Math.abs(all.v * scale.v));
        expect("out", r * dim + k, new Bounded(v.v, v.e + more));
      });
    },
  }];
}

/** Sums over the rows of a term per column. */
export function perColumn(
  g: Given,
  at: (k: number, expect: Parameters<Part["at"]>[1]) => void,
): Part[] {
  return [{ count: g.p.dim, cost: 2 * g.p.rows, at }];
}

/** p log p of a mean distribution. */
export function entropyOf(dim: number, p: (k: number) => Bounded): Bounded {
  return sum(dim, (k) => {
    const x = p(k);
    return x.mul(x.max(2 ** -126).log()).neg();
  });
}

/** DINO. */
export const DINO: readonly Reference[] = [
  {
    family: "loss",
    kernels: /dino_stats/,
    fill: { x: (draw) => draw.normal(2), scalars: SCALARS, state: STATE },
    kept: (g) => g.p.first ? [] : ["state"],
    parts: stats,
  },
  {
    family: "loss",
    kernels: /dino_student/,
    fill: { scalars: SCALARS, student_state: STATE, teacher_state: STATE },
    kept: (g) => [...g.c("IN_PLACE") ? ["out"] : [], ...g.p.first ? [] : ["pair"]],
    parts: student,
  },
  {
    family: "loss",
    kernels: /dino_center/,
    fill: { flag: ZEROS, metrics: (draw) => draw.uniform(1, 2) },
    kept: () => ["center"],
    parts(g) {
      const [momentum, rest] = [Math.fround(g.p.momentum), Math.fround(g.p.rest)];
      return [{
        count: g.p.dim,
        cost: 2,
        at(k, expect) {
          const moved = exact(g.f("center")[k]).mul(momentum);
          expect("center", k, moved.add(exact(g.f("mean")[k]).mul(rest)));
        },
      }];
    },
  },
  {
    family: "loss",
    kernels: /dino_finish/,
    fill: { mean_teacher: PROBABILITIES },
    parts(g) {
      const { globals, views, dim } = g.p, pair = g.f("pair_loss");
      return [{
        count: 1,
        cost: dim,
        at(_, expect) {
          const total = new Sum();
          for (let t = 0; t < globals; t++) {
            for (let v = 0; v < views; v++) if (t !== v) total.add(pair[t * views + v]);
          }
          const loss = total.value.div(globals * (views - 1));
          const mean = sum(globals, (t) => g.f("entropy")[t]).div(globals);
          expect("metrics", 0, loss);
          expect("metrics", 1, mean);
          expect("metrics", 2, entropyOf(dim, (k) => exact(g.f("mean_teacher")[k])));
          expect("metrics", 3, loss.sub(mean));
        },
      }];
    },
  },
  {
    family: "loss",
    kernels: /dino_mean_teacher/,
    fill: { scalars: SCALARS, state: STATE },
    kept: (g) => g.p.accumulate ? ["out"] : [],
    parts(g) {
      const { rows, dim, whole_rows } = g.p, temp = g.f("scalars")[g.p.temp_index];
      const [x, center, state] = [g.f("teacher"), g.f("center"), g.f("state")];
      return perColumn(g, (k, expect) => {
        const all = sum(rows, (r) => {
          const z = exact(x[r * dim + k]).sub(center[k]).div(temp).sub(state[4 * r]);
          return z.exp().div(state[4 * r + 2]);
        });
        const mean = all.div(whole_rows);
        expect("out", k, g.p.accumulate ? mean.add(g.f("out")[k]) : mean);
      });
    },
  },
  {
    family: "loss",
    kernels: /sinkhorn/,
    fill: { scalars: SCALARS, state: STATE, weights: WEIGHTS },
    parts(g) {
      const { rows, dim, first } = g.p, temp = g.f("scalars")[g.p.temp_index];
      const [x, state] = [g.f("teacher"), g.f("state")];
      return perColumn(g, (k, expect) => {
        const all: Bounded[] = [];
        for (let r = 0; r < rows; r++) {
          if (g.c("WEIGHTED") && g.f("weights")[r] === 0) continue;
          const z = exact(x[r * dim + k]).div(temp);
          all.push(first ? z : z.sub(state[4 * r]).sub(state[4 * r + 1]));
        }
        const top = all.reduce((most, z) => z.v > most.v ? z : most);
        const total = sum(all.length, (i) => all[i].sub(top).exp());
        expect("center", k, top.add(total.log()).mul(temp));
      });
    },
  },
];
