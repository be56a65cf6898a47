/**
 * References of the iBOT loss.
 *
 * @module
 */
import { type Bounded, exact, Sum, sum } from "../bounded.ts";
import { type Reference, SCALARS } from "../reference.ts";
import {
  entropyOf,
  logits,
  pairOf,
  perColumn,
  PROBABILITIES,
  STATE,
  targets,
  WEIGHTS,
} from "./dino.ts";

/** iBOT. */
export const IBOT: readonly Reference[] = [
  {
    family: "patch losses",
    kernels: /ibot_finish/,
    fill: {
      sums: (draw) => draw.each((i) => i === 2 ? 5 : 1 + draw.next()),
      mean_teacher: PROBABILITIES,
    },
    parts(g) {
      const { dim } = g.p, sums = g.f("sums"), count = Math.max(1, sums[2]);
      return [{
        count: 1,
        cost: dim,
        at(_, expect) {
          expect("metrics", 0, sums[0]);
          expect("metrics", 1, sums[1]);
          expect("metrics", 2, entropyOf(dim, (k) => exact(g.f("mean_teacher")[k]).div(count)));
          expect("metrics", 3, exact(sums[0]).sub(sums[1]));
          expect("metrics", 4, sums[2]);
          for (let k = 0; k < dim; k++) {
            expect("batch_mean", k, exact(g.f("batch_sum")[k]).div(count));
          }
        },
      }];
    },
  },
  {
    family: "patch losses",
    kernels: /ibot_rows/,
    fill: { weights: WEIGHTS },
    kept: (g) => g.p.accumulate ? ["sums"] : [],
    parts(g) {
      const { rows, accumulate } = g.p, weights = g.f("weights");
      return [{
        count: 1,
        cost: rows,
        at(_, expect) {
          const scale = Math.fround(g.p.scale);
          const of = (name: string) =>
            sum(rows, (r) => exact(g.f(name)[r]).mul(weights[r])).mul(scale);
          const live = exact(weights.reduce((n, w) => n + (w ? 1 : 0), 0));
          [of("pair"), of("entropy"), live].forEach((v, i) =>
            expect("sums", i, accumulate ? v.add(g.f("sums")[i]) : v)
          );
        },
      }];
    },
  },
  {
    family: "patch losses",
    kernels: /ibot_student/,
    fill: { scalars: SCALARS, student_state: STATE, teacher_state: STATE, weights: WEIGHTS },
    kept: (g) => ["out", ...g.p.first ? [] : ["pair"]],
    parts(g) {
      const { rows, dim, student_temp, factor } = g.p, temp = g.f("scalars")[student_temp];
      return [{
        count: rows,
        cost: 6 * dim,
        at(r, expect) {
          const own = g.f("student_state").subarray(4 * r, 4 * r + 4), weight = g.f("weights")[r];
          const scale = exact(Math.fround(factor)).mul(weight).div(temp);
          const q = targets(g, r);
          const down = logits(g, "out", r, temp, false).map((z) => exact(own[0]).sub(z));
          down.forEach((d, k) => {
            const v = d.neg().exp().div(own[2]).sub(q[k]).mul(scale);
            expect("out", r * dim + k, weight === 0 ? 0 : v);
          });
          expect("pair", r, pairOf(g, r, sum(dim, (k) => q[k].mul(down[k])), own[1]));
        },
      }];
    },
  },
  {
    family: "patch losses",
    kernels: /ibot_teacher/,
    fill: { scalars: SCALARS, state: STATE, weights: WEIGHTS },
    kept: (g) => g.p.accumulate ? ["mean_teacher", "batch_sum"] : [],
    parts(g) {
      const { rows, dim, accumulate } = g.p, temp = g.f("scalars")[g.p.temp_index];
      const [x, center, state] = [g.f("teacher"), g.f("center"), g.f("state")];
      return perColumn(g, (k, expect) => {
        const [mean, all] = [new Sum(), new Sum()];
        for (let r = 0; r < rows; r++) {
          if (g.f("weights")[r] === 0) continue;
          const z = exact(x[r * dim + k]).sub(center[k]).div(temp).sub(state[4 * r]);
          mean.add(z.exp().div(state[4 * r + 2]));
          all.add(x[r * dim + k]);
        }
        const put = (name: string, v: Bounded) =>
          expect(name, k, accumulate ? v.add(g.f(name)[k]) : v);
        put("mean_teacher", mean.value);
        put("batch_sum", all.value);
      });
    },
  },
];
