/**
 * References of batch norm.
 *
 * @module
 */
import { exact, Sum } from "../bounded.ts";
import { elementwise, type Reference, widthOf } from "../reference.ts";
import { POSITIVE } from "./norms.ts";

/** Batch norm. */
export const BATCH_NORM: readonly Reference[] = [
  {
    family: "norms",
    kernels: /batch_norm/,
    fill: { stats: POSITIVE },
    parts(g) {
      const [rows, width] = [g.p.rows, widthOf(g)];
      const stats = g.f("stats");
      return elementwise(rows * width, (i, expect) => {
        const c = i % width;
        let v = exact(g.f("x")[i]).sub(stats[c]).mul(stats[width + c]).mul(g.f("weight")[c])
          .add(g.f("bias")[c]);
        if (g.c("RESIDUAL")) v = v.add(g.f("residual")[i]);
        if (g.c("RELU")) v = v.max(0);
        expect("out", i, v);
      }, 5);
    },
  },
  {
    family: "norms",
    kernels: /batch_norm_backward/,
    fill: { stats: POSITIVE },
    parts(g) {
      const [rows, width] = [g.p.rows, widthOf(g)];
      const stats = g.f("stats");
      return elementwise(rows * width, (i, expect) => {
        const c = i % width;
        const dy = !g.c("RELU") || g.f("y")[i] > 0 ? g.f("dy")[i] : 0;
        let d = exact(dy);
        if (g.c("BATCH")) {
          const sums = g.f("sums");
          const along = exact(g.f("x")[i]).sub(stats[c]).mul(stats[width + c]).mul(sums[c]);
          d = d.sub(along.add(sums[width + c]).mul(Math.fround(g.p.share)));
        }
        expect("out", i, exact(g.f("weight")[c]).mul(stats[width + c]).mul(d));
        if (g.c("PASS")) expect("passed", i, dy);
      }, 6);
    },
  },
  {
    family: "norms",
    kernels: /batch_norm_stats/,
    fill: {
      sums: (draw) => draw.each((i) => i < draw.n / 2 ? 40 + 8 * draw.next() : draw.next()),
      running_var: POSITIVE,
    },
    kept: () => ["running_mean", "running_var"],
    parts(g) {
      const { cols, rows, eps, momentum } = g.p;
      return [{
        count: cols,
        cost: 10,
        at(c, expect) {
          const [oldMean, oldVar] = [g.f("running_mean")[c], g.f("running_var")[c]];
          let [middle, variance] = [exact(oldMean), exact(oldVar)];
          if (g.c("BATCH")) {
            const sums = g.f("sums"), off = exact(sums[cols + c]).div(rows);
            middle = off.add(g.f("mean")[c]);
            variance = exact(sums[c]).div(rows).sub(off.mul(off)).max(0);
            const m = Math.fround(momentum), keep = exact(1).sub(m);
            const unbiased = variance.mul(exact(rows).div(rows - 1));
            expect("running_mean", c, keep.mul(oldMean).add(middle.mul(m)));
            expect("running_var", c, keep.mul(oldVar).add(unbiased.mul(m)));
          }
          expect("stats", c, middle);
          expect("stats", cols + c, exact(1).div(variance.add(Math.fround(eps)).sqrt()));
        },
      }];
    },
  },
  {
    family: "norms",
    kernels: /batch_norm_sums/,
    fill: { mean: POSITIVE },
    parts(g) {
      const { rows, cols, chunk } = g.p, x = g.f("x"), mean = g.f("mean");
      return [{
        count: cols * Math.ceil(rows / chunk),
        cost: 4 * chunk,
        at(i, expect) {
          const [c, z] = [i % cols, Math.floor(i / cols)];
          const [first, second] = [new Sum(), new Sum()];
          for (let r = z * chunk; r < Math.min(rows, (z + 1) * chunk); r++) {
            const at = r * cols + c, t = exact(x[at]).sub(mean[c]);
            if (!g.c("BACK")) {
              first.add(t.mul(t));
              second.add(t);
              continue;
            }
            const dy = !g.c("RELU") || g.f("y")[at] > 0 ? g.f("dy")[at] : 0;
            first.add(t.mul(mean[cols + c]).mul(dy));
            second.add(dy);
          }
          expect("out", 2 * z * cols + c, first.value);
          expect("out", 2 * z * cols + cols + c, second.value);
        },
      }];
    },
  },
];
