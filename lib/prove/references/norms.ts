/**
 * References of norms, of softmax, and of sums of rows and columns.
 *
 * @module
 */
import { type Bounded, dot, exact, Sum, sum } from "../bounded.ts";
import type { Fill, Given, Part, Reference } from "../reference.ts";

/** (mean, rstd) of rows. */
const STATS: Fill = (draw) => draw.each((i) => i % 2 ? 0.5 + draw.next() : draw.next() - 0.5);
/** Rows with a mean of their own. */
const SHIFTED: Fill = (draw) => draw.each(() => 1.5 + 2 * draw.next());
export const POSITIVE: Fill = (draw) => draw.uniform(0.5, 1.5);

/** Bits of `params.accumulate`, or the constant of that name. */
const adds = (g: Given, bit = 1) => ((g.p.accumulate ?? 0) & bit) !== 0 || g.c("ACCUMULATE") !== 0;

/** The columns of a sum over chunks of rows. */
function columns(
  g: Given,
  terms: readonly {
    out: string;
    add: boolean;
    at: (row: number, col: number) => Bounded | number;
  }[],
  cols: number,
  chunk = g.p.chunk,
): Part[] {
  const { rows, scale = 1, zero_from = 0, zero_end = 0 } = g.p;
  return [{
    count: cols * Math.ceil(rows / chunk),
    cost: chunk * terms.length,
    at(i, expect) {
      const [c, z] = [i % cols, Math.floor(i / cols)];
      for (const { out, add, at } of terms) {
        const all = new Sum();
        for (let r = z * chunk; r < Math.min(rows, (z + 1) * chunk); r++) all.add(at(r, c));
        let v = c >= zero_from && c < zero_end ? exact(0) : all.value.mul(Math.fround(scale));
        if (add) v = v.add(g.f(out)[z * cols + c]);
        expect(out, z * cols + c, v);
      }
    },
  }];
}

/** dy · x̂ of layer norm. */
function normed(g: Given, row: number, col: number): Bounded {
  const stats = g.f("stats");
  return exact(g.f("x")[row * g.p.dim + col]).sub(stats[2 * row]).mul(stats[2 * row + 1]);
}

function layerNormInput(g: Given): Part {
  const { rows, dim } = g.p;
  const [weight, dy] = [g.f("weight"), g.f("dy")];
  return {
    count: rows,
    cost: 4 * dim,
    at(r, expect) {
      const slope = Array.from({ length: dim }, (_, d) => exact(dy[r * dim + d]).mul(weight[d]));
      const unit = Array.from({ length: dim }, (_, d) => normed(g, r, d));
      const mean = sum(dim, (d) => slope[d]).div(dim);
      const along = sum(dim, (d) => slope[d].mul(unit[d])).div(dim);
      for (let d = 0; d < dim; d++) {
        let v = slope[d].sub(mean).sub(unit[d].mul(along)).mul(g.f("stats")[2 * r + 1]);
        if (g.c("RESIDUAL")) v = v.add(g.f("residual")[r * dim + d]);
        expect("dx", r * dim + d, v);
      }
    },
  };
}

const HELD_ROWS = 32;

function layerNormWeights(g: Given, chunk: number): Part[] {
  const { dim } = g.p, dy = g.f("dy");
  return columns(
    g,
    [
      { out: "dw", add: adds(g, 1), at: (r, d) => normed(g, r, d).mul(dy[r * dim + d]) },
      { out: "db", add: adds(g, 2), at: (r, d) => dy[r * dim + d] },
    ],
    dim,
    chunk,
  );
}

/** The length of a row; the largest magnitude is divided by first, which takes a few roundings more. */
function lengthOf(values: Float32Array, start: number, dim: number): Bounded {
  const top = values.subarray(start, start + dim)
    .reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (top === 0) return exact(0);
  const square = sum(dim, (d) => {
    const u = exact(values[start + d]).div(top);
    return u.mul(u);
  });
  return square.sqrt().mul(top);
}

/** Norms and sums. */
export const NORMS: readonly Reference[] = [
  {
    family: "norms",
    kernels: /layer_norm(_subgroup|_held)?/,
    fill: { x: SHIFTED },
    parts(g) {
      const { rows, dim, eps } = g.p;
      const [x, weight, bias] = [g.f("x"), g.f("weight"), g.f("bias")];
      return [{
        count: rows,
        cost: 6 * dim,
        at(r, expect) {
          const origin = x[r * dim];
          const mean = sum(dim, (d) => exact(x[r * dim + d]).sub(origin)).div(dim).add(origin);
          const off = Array.from({ length: dim }, (_, d) => exact(x[r * dim + d]).sub(mean));
          const rstd = sum(dim, (d) => off[d].mul(off[d])).div(dim).add(Math.fround(eps))
            .inverseSqrt();
          off.forEach((v, d) => expect("y", r * dim + d, v.mul(rstd).mul(weight[d]).add(bias[d])));
          expect("stats", 2 * r, mean);
          expect("stats", 2 * r + 1, rstd);
        },
      }];
    },
  },
  {
    family: "norms",
    kernels: /layer_norm_backward/,
    fill: { stats: STATS },
    parts: (g) => [layerNormInput(g)],
  },
  {
    family: "norms",
    kernels: /layer_norm_weight_grad/,
    fill: { stats: STATS },
    kept: (g) => [...adds(g, 1) ? ["dw"] : [], ...adds(g, 2) ? ["db"] : []],
    parts: (g) => layerNormWeights(g, g.p.chunk),
  },
  {
    family: "norms",
    kernels: /layer_norm_grad_(subgroup|held)/,
    fill: { stats: STATS },
    parts: (
      g,
    ) => [layerNormInput(g), ...g.c("WEIGHTS") ? layerNormWeights(g, g.p.chunk ?? HELD_ROWS) : []],
  },
  {
    family: "norms",
    kernels: /softmax\w*/,
    parts(g) {
      const { rows, cols } = g.p, x = g.f("x");
      return [{
        count: rows,
        cost: 3 * cols,
        at(r, expect) {
          const row = x.subarray(r * cols, (r + 1) * cols);
          if (g.c("GRAD")) {
            const dy = g.f("dy").subarray(r * cols, (r + 1) * cols);
            const along = dot(cols, (c) => row[c], (c) => dy[c]);
            row.forEach((y, c) => expect("out", r * cols + c, exact(dy[c]).sub(along).mul(y)));
            return;
          }
          const top = row.reduce((a, b) => Math.max(a, b));
          const powers = Array.from(row, (v) => exact(v).sub(top).exp());
          const total = sum(cols, (c) => powers[c]);
          powers.forEach((p, c) => expect("out", r * cols + c, p.div(total)));
        },
      }];
    },
  },
  {
    family: "norms",
    kernels: /l2_normalize/,
    parts(g) {
      const { rows, dim, eps } = g.p, x = g.f("x");
      return [{
        count: rows,
        cost: 4 * dim,
        at(r, expect) {
          const scale = lengthOf(x, r * dim, dim).max(Math.fround(eps));
          const unit = Array.from({ length: dim }, (_, d) => exact(x[r * dim + d]).div(scale));
          if (!g.c("GRAD")) return unit.forEach((u, d) => expect("out", r * dim + d, u));
          const dy = g.f("dy");
          const along = sum(dim, (d) => unit[d].mul(dy[r * dim + d]));
          unit.forEach((u, d) => {
            expect("out", r * dim + d, exact(dy[r * dim + d]).sub(u.mul(along)).div(scale));
          });
        },
      }];
    },
  },
  {
    family: "norms",
    kernels: /weight_norm/,
    parts(g) {
      const { rows, dim } = g.p, v = g.f("v"), length = g.f("g");
      return [{
        count: rows,
        cost: 4 * dim,
        at(r, expect) {
          const norm = lengthOf(v, r * dim, dim);
          const scale = exact(length[r]).div(norm);
          for (let d = 0; d < dim; d++) expect("w", r * dim + d, scale.mul(v[r * dim + d]));
          expect("norms", r, norm);
        },
      }];
    },
  },
  {
    family: "norms",
    kernels: /weight_norm_backward/,
    fill: { norms: POSITIVE },
    kept: (g) => [...g.c("ACCUMULATE_V") ? ["out"] : [], ...g.c("ACCUMULATE_G") ? ["dg"] : []],
    parts(g) {
      const { rows, dim } = g.p, v = g.f("v"), dw = g.f("dw"), norms = g.f("norms");
      return [{
        count: rows,
        cost: 4 * dim,
        at(r, expect) {
          const unit = Array.from({ length: dim }, (_, d) => exact(v[r * dim + d]).div(norms[r]));
          const along = sum(dim, (d) => unit[d].mul(dw[r * dim + d]));
          const scale = exact(g.f("g")[r]).div(norms[r]);
          unit.forEach((u, d) => {
            let value = exact(dw[r * dim + d]).sub(along.mul(u)).mul(scale);
            if (g.c("ACCUMULATE_V")) value = value.add(g.f("out")[r * dim + d]);
            expect("out", r * dim + d, value);
          });
          if (!g.c("WEIGHT_G")) return;
          expect("dg", r, g.c("ACCUMULATE_G") ? along.add(g.f("dg")[r]) : along);
        },
      }];
    },
  },
  {
    family: "sums",
    kernels: /column_sum/,
    kept: (g) => [...adds(g, 1) ? ["out"] : [], ...g.c("PAIR") && adds(g, 2) ? ["out2"] : []],
    parts(g) {
      const { stride, offset } = g.p;
      const of = (name: string) => {
        const x = g.f(name);
        return (r: number, c: number) => x[r * stride + offset + c];
      };
      const terms = [{ out: "out", add: adds(g, 1), at: of("x") }];
      if (g.c("PAIR")) terms.push({ out: "out2", add: adds(g, 2), at: of("x2") });
      return columns(g, terms, g.p.cols);
    },
  },
  {
    family: "sums",
    kernels: /row_sum/,
    kept: (g) => adds(g) ? ["out"] : [],
    parts(g) {
      const { rows, cols, scale } = g.p, x = g.f("x");
      return [{
        count: rows,
        cost: cols,
        at(r, expect) {
          const all = sum(cols, (c) => x[r * cols + c]).mul(Math.fround(scale));
          expect("out", r, adds(g) ? all.add(g.f("out")[r]) : all);
        },
      }];
    },
  },
  {
    family: "sums",
    kernels: /layer_scale_grad/,
    kept: (g) => adds(g) ? ["out"] : [],
    parts(g) {
      const { cols } = g.p, [h, dy] = [g.f("h"), g.f("dy")];
      const at = (r: number, c: number) => exact(h[r * cols + c]).mul(dy[r * cols + c]);
      return columns(g, [{ out: "out", add: adds(g), at }], cols);
    },
  },
];
