/**
 * What known-answer canaries must compute: in float64, with bounds on what float32 may make of it.
 *
 * A sum of n products in any order, rounded to nearest or a unit beside it, is off by at most (n + 2) · 2⁻²³ · Σ |a b|
 * (Higham 2002, ch. 3, with a unit roundoff twice as large); what follows from sums is bounded by the same means.
 *
 * @module
 */

/** Twice the unit roundoff of float32: WGSL lets a driver round either way. */
const EPS = 2 ** -23;
/** Units by which `exp` and division may be off beside their arguments' errors: WGSL allows 3 + 2 |x|, and 2.5. */
const FUNCTIONS = 16;

/** Numbers and how far from them one may be. */
export interface Answer {
  /** The numbers. */
  values: Float64Array;
  /** Bounds on the errors. */
  bounds: Float64Array;
}

/** C = op(A) · op(B); A is [m, k] or, transposed, [k, m], B [k, n] or [n, k]. */
export function productOf(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  { m, n, k, transA, transB }: {
    m: number;
    n: number;
    k: number;
    transA: boolean;
    transB: boolean;
  },
): Answer {
  const answer = room(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0, size = 0;
      for (let l = 0; l < k; l++) {
        const term = a[transA ? l * m + i : i * k + l] * b[transB ? j * k + l : l * n + j];
        sum += term;
        size += Math.abs(term);
      }
      answer.values[i * n + j] = sum;
      answer.bounds[i * n + j] = (k + 2) * EPS * size;
    }
  }
  return answer;
}

/** Sums of the columns of x [rows, cols]. */
export function columnSumOf(x: ArrayLike<number>, rows: number, cols: number): Answer {
  const ones = new Float64Array(rows).fill(1);
  return productOf(ones, x, { m: 1, n: cols, k: rows, transA: false, transB: false });
}

/** Layer norm of the rows of x [rows, dim]. */
export function layerNormOf(
  x: ArrayLike<number>,
  [weight, bias]: readonly ArrayLike<number>[],
  { rows, dim, eps }: { rows: number; dim: number; eps: number },
): Answer {
  const answer = room(rows * dim);
  for (let r = 0; r < rows; r++) {
    let sum = 0, size = 0, squares = 0;
    for (let i = 0; i < dim; i++) {
      [sum, size] = [sum + x[r * dim + i], size + Math.abs(x[r * dim + i])];
    }
    const mean = sum / dim;
    for (let i = 0; i < dim; i++) squares += (x[r * dim + i] - mean) ** 2;
    const rstd = 1 / Math.sqrt(squares / dim + eps);
    for (let i = 0; i < dim; i++) {
      const at = r * dim + i, normed = (x[at] - mean) * rstd;
      answer.values[at] = normed * weight[i] + bias[i];
      // The mean's error, and that of the variance, which the normed value inherits by half.
      const off = (dim + 8) * EPS * (size / dim) * rstd;
      answer.bounds[at] =
        Math.abs(weight[i]) * (off + Math.abs(normed) * ((dim + 8) * EPS + 2 * off)) +
        4 * EPS * (Math.abs(answer.values[at]) + Math.abs(bias[i]));
    }
  }
  return answer;
}

/** Attention and its gradient, of qkv [tokens, 3 · heads · headDim] of a single sequence. */
export function attentionOf(
  qkv: ArrayLike<number>,
  dy: ArrayLike<number>,
  { tokens, heads, headDim }: { tokens: number; heads: number; headDim: number },
): { y: Answer; dqkv: Answer } {
  const dim = heads * headDim, scale = headDim ** -0.5;
  const y = room(tokens * dim), dqkv = room(tokens * 3 * dim);
  const at = (token: number, part: number, head: number, d: number) =>
    token * 3 * dim + part * dim + head * headDim + d;
  const add = ({ values, bounds }: Answer, i: number, value: number, bound: number) => {
    values[i] += value;
    bounds[i] += bound;
  };
  for (let h = 0; h < heads; h++) {
    for (let i = 0; i < tokens; i++) {
      const dot = (j: number, other: (d: number) => number, mine: (d: number) => number) => {
        let sum = 0, size = 0;
        for (let d = 0; d < headDim; d++) {
          const term = mine(d) * other(d);
          [sum, size] = [sum + term, size + Math.abs(term)];
        }
        return [sum, size, j] as const;
      };
      const keys = Array.from(
        { length: tokens },
        (_, j) => dot(j, (d) => qkv[at(j, 1, h, d)], (d) => qkv[at(i, 0, h, d)]),
      );
      const scores = keys.map(([sum]) => scale * sum), top = Math.max(...scores);
      const weights = scores.map((s) => Math.exp(s - top));
      const total = weights.reduce((a, b) => a + b);
      const p = weights.map((w) => w / total);
      // Relative error of a probability: twice the error of a score, that of exp, that of the sum.
      const most = Math.max(...keys.map(([, size]) => scale * size));
      const range = Math.max(...scores.map((s) => top - s));
      const off = EPS * (2 * (headDim + 4) * most + 2 * range + tokens + 2 * FUNCTIONS);
      const grads = Array.from(
        { length: tokens },
        (_, j) => dot(j, (d) => qkv[at(j, 2, h, d)], (d) => dy[i * dim + h * headDim + d]),
      );
      const mean = grads.reduce((sum, [g], j) => sum + p[j] * g, 0);
      const meanSize = grads.reduce((sum, [, size], j) => sum + p[j] * size, 0);
      for (let j = 0; j < tokens; j++) {
        const ds = p[j] * (grads[j][0] - mean), size = p[j] * (grads[j][1] + meanSize);
        const dsOff = (3 * off + (headDim + tokens + FUNCTIONS) * EPS) * size;
        for (let d = 0; d < headDim; d++) {
          const [q, k, v] = [0, 1, 2].map((part) => qkv[at(part ? j : i, part, h, d)]);
          const g = dy[i * dim + h * headDim + d], more = (tokens + 4) * EPS;
          add(y, i * dim + h * headDim + d, p[j] * v, (off + more) * p[j] * Math.abs(v));
          add(dqkv, at(j, 2, h, d), p[j] * g, (off + more) * p[j] * Math.abs(g));
          add(dqkv, at(i, 0, h, d), scale * ds * k, scale * (dsOff + more * size) * Math.abs(k));
          add(dqkv, at(j, 1, h, d), scale * ds * q, scale * (dsOff + more * size) * Math.abs(q));
        }
      }
    }
  }
  return { y, dqkv };
}

const room = (n: number): Answer => ({ values: new Float64Array(n), bounds: new Float64Array(n) });
