/**
 * References of optimisers, clipping, the moving average, the non-finite flag and the canaries' hashes.
 *
 * @module
 */
import { LANES } from "../../gpu/recheck.ts";
import { type Bounded, exact, Sum } from "../bounded.ts";
import {
  elementwise,
  type Expect,
  type Fill,
  type Given,
  type Reference,
  SCALARS,
  ZEROS,
} from "../reference.ts";

/** Elements of a granule. */
const GRANULE = 64;

const bitsOf = (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0];
const floatOf = (bits: number) => new Float32Array(Uint32Array.of(bits).buffer)[0];

/** (tensor, decay, group, bits of the rate's factor) of each granule; of four granules one is frozen, in group 1. */
const SEGMENT: Fill = (draw, { shapes }) => {
  const tensors = shapes.factors!.reduce((a, b) => a * b, 1);
  return draw.whole((i) => {
    const granule = Math.floor(i / 4);
    return [granule % tensors, granule % 2, granule % 4 === 3 ? 1 : 0, bitsOf(0.75)][i % 4];
  });
};
/** The flag, which is not set; rate, decay, 1 − β1^t, √(1 − β2^t) of two groups, the second frozen; the momentum. */
const TABLE: Fill = (draw, { params: { groups, momentum_at } }) =>
  draw.whole((i) => {
    if (i === momentum_at || i === momentum_at + 1) return bitsOf(i === momentum_at ? 0.9 : 0.1);
    const at = i - groups;
    if (at < 0) return 0;
    return bitsOf(at === 6 ? 0 : [0.01, 0.1, 0.4, 0.2][at % 4]);
  });
const SMALL: Fill = (draw) => draw.uniform(0.001, 0.01);

/** What belongs to the granule of an element. */
function rates(g: Given, i: number) {
  const [tensor, decay, group, bits] = g.u("segment").subarray(4 * Math.floor(i / GRANULE));
  const table = g.u("table"), at = g.p.groups + 4 * group;
  return {
    lr: exact(floatOf(table[at])).mul(floatOf(bits)),
    decay: exact(floatOf(table[at + 1])).mul(decay),
    first: floatOf(table[at + 2]),
    second: floatOf(table[at + 3]),
    clip: g.f("factors")[tensor],
  };
}

/** The teacher of an element steps along. */
function follow(g: Given, i: number, p: Bounded, expect: Expect): void {
  if (!g.c("FOLLOW")) return;
  const [m, rest] = g.u("table").subarray(g.p.momentum_at);
  const kept = exact(g.f("teacher")[i]).mul(floatOf(m));
  expect("teacher", i, kept.add(p.mul(floatOf(rest))));
}

const fill = { segment: SEGMENT, table: TABLE, factors: SCALARS };

/** A block's largest magnitude, and the sum of its squares over that. */
function scaledSquares(values: Float32Array): { top: number; sum: Bounded } {
  const top = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const all = new Sum();
  for (const x of values) {
    const u = exact(x).div(top || 1);
    all.add(u.mul(u));
  }
  // Lanes merge their parts, each scaled to the larger one's magnitude.
  return { top, sum: all.error(values.length + 16 * 8) };
}

/** Optimisers. */
export const OPTIMIZER: readonly Reference[] = [
  {
    family: "optimiser",
    kernels: /adamw/,
    fill: { ...fill, exp_avg_sq: SMALL },
    kept: () => ["parameter", "exp_avg", "exp_avg_sq", "teacher"],
    parts: (g) =>
      elementwise(g.p.n, (i, expect) => {
        const { lr, decay, first, second, clip } = rates(g, i);
        const [beta1, rest1, beta2, rest2, eps] = [
          g.p.beta1,
          g.p.rest1,
          g.p.beta2,
          g.p.rest2,
          g.p.eps,
        ].map(Math.fround);
        const p = g.f("parameter")[i];
        if (first === 0) return follow(g, i, exact(p), expect);
        let grad = exact(g.f("grad")[i]).mul(clip);
        if (g.c("COUPLED")) grad = grad.add(decay.mul(p));
        const m = exact(g.f("exp_avg")[i]).mul(beta1).add(grad.mul(rest1));
        const v = exact(g.f("exp_avg_sq")[i]).mul(beta2).add(grad.mul(rest2).mul(grad));
        const step = lr.div(first).mul(m).div(v.sqrt().div(second).add(eps));
        const keep = g.c("COUPLED") ? exact(1) : exact(1).sub(lr.mul(decay));
        const next = keep.mul(p).sub(step);
        follow(g, i, next, expect);
        expect("parameter", i, next);
        expect("exp_avg", i, m);
        expect("exp_avg_sq", i, v);
      }, 8),
  },
  {
    family: "optimiser",
    kernels: /sgd/,
    fill,
    kept: () => ["parameter", "momentum_buffer", "teacher"],
    parts: (g) =>
      elementwise(g.p.n, (i, expect) => {
        const { lr, decay, first, clip } = rates(g, i);
        const momentum = Math.fround(g.p.momentum), p = g.f("parameter")[i];
        if (first === 0) return follow(g, i, exact(p), expect);
        const grad = exact(g.f("grad")[i]).mul(clip).add(decay.mul(p));
        const b = exact(g.f("momentum_buffer")[i]).mul(momentum).add(grad);
        const along = g.c("NESTEROV") ? grad.add(b.mul(momentum)) : b;
        expect("momentum_buffer", i, b);
        const next = exact(p).sub(lr.mul(along));
        follow(g, i, next, expect);
        expect("parameter", i, next);
      }, 6),
  },
  {
    family: "optimiser",
    kernels: /ema/,
    fill: { scalars: SCALARS, flag: ZEROS },
    kept: () => ["teacher"],
    parts(g) {
      const [m, rest] = g.f("scalars").subarray(g.p.momentum_index);
      return elementwise(g.p.n, (i, expect) => {
        const kept = exact(g.f("teacher")[i]).mul(m);
        expect("teacher", i, kept.add(exact(g.f("student")[i]).mul(rest)));
      }, 2);
    },
  },
  {
    family: "clipping",
    kernels: /sum_squares/,
    // Blocks one after the other, of the lengths that they have room for.
    fill: {
      blocks: (draw, { shapes, params: { n } }) => {
        const size = shapes.grad!.reduce((a, b) => a * b, 1);
        const room = Math.max(4, Math.floor(size / n / 4) * 4);
        return draw.whole((i) =>
          i % 2 ? Math.min(room, 4096) - (room > 4 ? (i >> 1) % 4 : 0) : (i >> 1) * room
        );
      },
    },
    parts(g) {
      const blocks = g.u("blocks"), grad = g.f("grad");
      return [{
        count: g.p.n,
        cost: Math.ceil(grad.length / g.p.n),
        at(b, expect) {
          const [from, length] = blocks.subarray(2 * b);
          const { top, sum } = scaledSquares(grad.subarray(from, from + length));
          expect("partial", 2 * b, top);
          expect("partial", 2 * b + 1, sum);
        },
      }];
    },
  },
  {
    family: "clipping",
    kernels: /clip/,
    fill: {
      partial: (draw) => draw.each((i) => i % 2 ? 1 + draw.next() : 0.1 + draw.next()),
      ranges: (draw, { shapes, params: { n } }) => {
        const blocks = shapes.partial!.reduce((a, b) => a * b, 1) / 2;
        const each = Math.max(1, Math.floor(blocks / n));
        return draw.whole((i) => i % 2 ? each : Math.min((i >> 1) * each, blocks - each));
      },
    },
    parts(g) {
      const { n, clip } = g.p, partial = g.f("partial"), ranges = g.u("ranges");
      return [{
        count: n,
        cost: 16,
        at(t, expect) {
          const [from, count] = ranges.subarray(2 * t);
          let top = 0;
          for (let b = from; b < from + count; b++) top = Math.max(top, partial[2 * b]);
          const all = new Sum();
          for (let b = from; b < from + count; b++) {
            const u = exact(partial[2 * b]).div(top);
            all.add(u.mul(partial[2 * b + 1]).mul(u));
          }
          const norm = all.value.sqrt().mul(top), limit = Math.fround(clip);
          expect("norms", t, norm);
          expect("factors", t, limit > 0 ? exact(limit).div(norm.add(1e-6)).min(1) : 1);
        },
      }];
    },
  },
  {
    family: "clipping",
    kernels: /clip_total/,
    fill: { total: (draw) => draw.uniform(1, 3) },
    parts(g) {
      const [top, sum] = g.f("total");
      return elementwise(g.p.n, (i, expect) => {
        const norm = exact(sum).sqrt().mul(top).add(1e-6);
        expect("factors", i, exact(Math.fround(g.p.clip)).div(norm).min(1));
      });
    },
  },
  {
    family: "clipping",
    kernels: /total_norm/,
    kept: (g) => g.p.more ? ["total"] : [],
    fill: { norms: (draw) => draw.uniform(0, 2), total: (draw) => draw.uniform(1, 1.5) },
    parts(g) {
      const { n, more } = g.p, norms = g.f("norms");
      return [{
        count: 1,
        cost: n,
        at(_, expect) {
          const before = more ? g.f("total") : Float32Array.of(0, 0);
          const top = norms.reduce((a, b) => Math.max(a, b), before[0]);
          const all = new Sum();
          if (more) {
            const u = exact(before[0]).div(top);
            all.add(u.mul(before[1]).mul(u));
          }
          for (const x of norms) {
            const u = exact(x).div(top);
            all.add(u.mul(u));
          }
          expect("total", 0, top);
          expect("total", 1, all.error(n + 8 * Math.ceil(Math.log2(n + 1)) + 32));
        },
      }];
    },
  },
  {
    family: "clipping",
    kernels: /flag/,
    kept: () => ["flag"],
    fill: {
      flag: ZEROS,
      micro_batches: (draw) => draw.whole(() => 3),
      values: (draw) => draw.each((i) => i === draw.n - 1 ? Infinity : draw.next()),
      scalars: (draw) => draw.each((i) => i + 1),
    },
    parts(g) {
      return [{
        count: 1,
        cost: 1,
        at(_, expect) {
          const at = g.f("values").findIndex((x) => !Number.isFinite(x));
          expect.bits("flag", 0, at < 0 ? 0 : 1 + g.f("scalars")[g.p.step_index]);
          expect.bits("flag", 1, at < 0 ? 0 : 1 + g.p.first + at);
          const microBatch = g.has("micro_batches") ? g.u("micro_batches")[0] : 0;
          expect.bits("flag", 2, at < 0 ? 0 : microBatch);
        },
      }];
    },
  },
  {
    family: "canaries",
    kernels: /hash/,
    parts(g) {
      const { n, samples, at } = g.p, x = g.u("x");
      const count = Math.min(n, samples), spread = Math.floor(n / Math.floor(samples / 64));
      return [{
        count: LANES,
        cost: Math.ceil(count / LANES),
        at(lane, expect) {
          let h = 2166136261;
          for (let j = lane; j < count; j += LANES) {
            const i = n <= samples ? j : Math.min((j >> 6) * spread + j % 64, n - 1);
            h = Math.imul(h ^ (x[i] + Math.imul(i, 0x85ebca6b)), 16777619);
          }
          expect.bits("out", at + lane, h >>> 0);
        },
      }];
    },
  },
];
