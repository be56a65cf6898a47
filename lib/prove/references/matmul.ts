/**
 * References of products and of convolutions, which are products.
 *
 * @module
 */
import { type Bounded, exact, gamma, Sum } from "../bounded.ts";
import { uniforms } from "../numbers.ts";
import type { Given, Part, Reference, Whole } from "../reference.ts";

/** Element [row, k] of the left operand, [k, column] of the right one. */
type Element = (row: number, column: number) => number;

interface Operands {
  a: Element;
  b: Element;
}

/** Bits of `params.epilogue`, as kernels/shared/matmul_store.wgsl has them. */
const BITS = { ACCUMULATE: 1, BIAS: 2, GELU: 4, GELU_GRAD: 8, ADD: 16, PRE: 32 };

type Epilogue = Record<keyof typeof BITS, boolean>;

function epilogueOf(g: Given): Epilogue {
  const { epilogue = 0, bias = 0 } = g.p;
  const on = Object.entries(BITS).map((
    [name, bit],
  ) => [name, (epilogue & bit) !== 0 || g.c(name) !== 0]);
  const all = Object.fromEntries(on) as Epilogue;
  if (bias) all.BIAS = true;
  return all;
}

/** Applies an epilogue to a sum, and gives the outputs. */
function finish(
  g: Given,
  e: Epilogue,
  sum: Bounded,
  at: number,
  column: number,
  expect: Parameters<Part["at"]>[1],
) {
  let v = sum;
  if (e.ACCUMULATE) v = v.add(g.f("c")[at]);
  if (e.BIAS) v = v.add(g.f("bias")[column]);
  if (e.PRE) expect("pre", at, v);
  if (e.GELU) v = v.gelu();
  if (e.GELU_GRAD) v = v.mul(exact(g.f("aux")[at]).geluGrad());
  if (e.ADD) v = v.add(g.f("aux")[at]);
  expect("c", at, v);
}

const kept = (g: Given) => [
  ...epilogueOf(g).ACCUMULATE ? ["c"] : [],
  ...g.p.sum_add ? ["sums"] : [],
];

/** Sums of op(A) over K, which a product makes beside itself where SUMS is: of `parts` parts, `rows` each. */
function sumsPart(
  g: Given,
  parts: number,
  rows: number,
  of: (part: number, row: number) => Sum,
  cost: number,
): Part[] {
  const { zero_from = 0, zero_end = 0, sum_add } = g.p;
  if (!g.c("SUMS")) return [];
  return [{
    count: parts * rows,
    cost,
    at(i, expect) {
      const row = i % rows;
      const v = row >= zero_from && row < zero_end ? exact(0) : of(Math.floor(i / rows), row).value;
      expect("sums", i, sum_add ? v.add(g.f("sums")[i]) : v);
    },
  }];
}

function matrices(g: Given): Operands {
  const { lda, ldb } = g.p;
  const a = g.f("a"), b = g.f("b");
  const [transA, transB] = [g.c("TRANS_A"), g.c("TRANS_B")];
  return {
    a: transA ? (row, k) => a[k * lda + row] : (row, k) => a[row * lda + k],
    b: transB ? (k, column) => b[column * ldb + k] : (k, column) => b[k * ldb + column],
  };
}

/** The k of each part: `split` counts blocks of four. */
function partsOf(g: Given): [number, number][] {
  const { k, split = Math.ceil(k / 4) } = g.p;
  const step = 4 * split;
  return Array.from(
    { length: Math.ceil(k / step) },
    (_, z) => [z * step, Math.min(k, (z + 1) * step)],
  );
}

/** Rows of the result, of every part of the sum. */
function rowsOf(g: Given, { a, b }: Operands): Part[] {
  const { m, n, k, ldc } = g.p;
  const slices = partsOf(g);
  const e = epilogueOf(g);
  const sums = (z: number, row: number) => {
    const all = new Sum();
    for (let q = slices[z][0]; q < slices[z][1]; q++) all.add(a(row, q));
    return all;
  };
  return [...sumsPart(g, slices.length, m, sums, k), {
    count: slices.length * m,
    cost: n * Math.ceil(k / slices.length),
    at(i, expect) {
      const [z, row] = [Math.floor(i / m), i % m];
      const [from, end] = slices[z];
      const left = Float64Array.from({ length: end - from }, (_, q) => a(row, from + q));
      for (let column = 0; column < n; column++) {
        const all = new Sum();
        for (let q = from; q < end; q++) all.addProduct(left[q - from], b(q, column));
        finish(g, e, all.value, z * m * ldc + row * ldc + column, column, expect);
      }
    },
  }];
}

/**
 * Freivalds' check of all outputs: C v = A (B v) for random signs v, a row at a time, of the part of the result that
 * is a product alone.
 */
function freivalds(
  g: Given,
  { a, b }: Operands,
  found: (name: string) => Float32Array,
): Whole | undefined {
  const e = epilogueOf(g);
  const { m, n, k, ldc } = g.p;
  if (e.GELU_GRAD || e.ACCUMULATE || (e.GELU && !e.PRE) || k * (m + n) > 2 ** 26) return undefined;
  const c = found(e.PRE ? "pre" : "c");
  const next = uniforms(m + 3 * n + 7 * k);
  const signs = Float64Array.from({ length: n }, () => next() < 0.5 ? -1 : 1);
  let worst = { error: 0, where: "" };
  partsOf(g).forEach(([from, end], z) => {
    const [bv, size] = [new Float64Array(end - from), new Float64Array(end - from)];
    for (let q = from; q < end; q++) {
      for (let j = 0; j < n; j++) {
        const x = b(q, j);
        bv[q - from] += x * signs[j];
        size[q - from] += Math.abs(x);
      }
    }
    for (let row = 0; row < m; row++) {
      let [expected, bound] = [0, 0];
      for (let q = from; q < end; q++) {
        const x = a(row, q);
        expected += x * bv[q - from];
        bound += Math.abs(x) * size[q - from];
      }
      bound *= gamma(end - from + 2);
      let is = 0;
      for (let j = 0; j < n; j++) {
        const at = z * m * ldc + row * ldc + j;
        let rest = 0;
        if (e.BIAS) rest += g.f("bias")[j];
        if (e.ADD && !e.GELU) rest += g.f("aux")[at];
        is += signs[j] * (c[at] - rest);
        bound += 2 ** -23 * (Math.abs(c[at]) + Math.abs(rest));
      }
      // A window that lies in nothing but padding has zeros alone, and no bound.
      const error = is === expected ? 0 : Math.abs(is - expected) / (bound + 2 ** -126);
      if (!(error <= worst.error)) {
        worst = { error, where: `row ${row} of part ${z}, by Freivalds` };
      }
    }
  });
  return worst;
}

/** The matrix of all windows, read in pictures: kernels/shared/conv_taps.wgsl. */
function windows(g: Given, pictures: Float32Array): Element {
  const { channels, height, width, grid, grid_width, side, stride, pad } = g.p;
  const back = g.c("BACK");
  return (row, column) => {
    const picture = Math.floor(row / grid), place = row % grid;
    const [y, x] = [Math.floor(place / grid_width), place % grid_width];
    const [tap, channel] = [Math.floor(column / channels), column % channels];
    const [dy, dx] = [Math.floor(tap / side), tap % side];
    const along = (at: number, d: number) => back ? (at + pad - d) / stride : at * stride + d - pad;
    const [r, q] = [along(y, dy), along(x, dx)];
    if (!Number.isInteger(r) || !Number.isInteger(q)) return 0;
    if (r < 0 || q < 0 || r >= height || q >= width) return 0;
    return pictures[((picture * height + r) * width + q) * channels + channel];
  };
}

function convolution(g: Given): Operands {
  const plain = matrices(g);
  return /_conv_weight/.test(g.capture.source.name)
    ? { a: plain.a, b: windows(g, g.f("b")) }
    : { a: windows(g, g.f("a")), b: plain.b };
}

/** Products. */
export const MATMUL: readonly Reference[] = [
  {
    family: "products",
    kernels: /matmul_reduce/,
    kept,
    parts(g) {
      const { count, columns, rows } = g.p, partial = g.f("partial"), e = epilogueOf(g);
      const sums = (_: number, row: number) => {
        const all = new Sum();
        for (let s = 0; s < g.c("PARTS", 1); s++) all.add(g.f("partial_sums")[s * rows + row]);
        return all;
      };
      return [...sumsPart(g, 1, rows, sums, g.c("PARTS", 1)), {
        count,
        cost: g.c("PARTS", 1),
        at(i, expect) {
          const all = new Sum();
          for (let s = 0; s < g.c("PARTS", 1); s++) all.add(partial[s * count + i]);
          finish(g, e, all.value, i, i % columns, expect);
        },
      }];
    },
  },
  {
    family: "convolutions",
    kernels: /matmul_?\w*_conv\w*/,
    kept,
    parts: (g) => rowsOf(g, convolution(g)),
    whole: (g, found) => freivalds(g, convolution(g), found),
  },
  {
    family: "products",
    kernels: /matmul\w*/,
    kept,
    parts: (g) => rowsOf(g, matrices(g)),
    whole: (g, found) => freivalds(g, matrices(g), found),
  },
];
