/**
 * Eigenvalues and vectors of symmetric matrices, in float64.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { reflect, tridiagonalize } from "./tridiagonal.ts";

/** What {@linkcode symmetricEigen} finds. */
export interface Eigen {
  /** Eigenvalues [D], the largest first. */
  values: Float64Array<ArrayBuffer>;
  /** Vectors of length 1 as rows, [D, D], in the order of the values. */
  vectors: Float64Array<ArrayBuffer>;
}

/** Iterations for one eigenvalue: two are usual, and more than this never needed of finite numbers. */
const MOST_ITERATIONS = 60;

/** Rotations that are kept before they are applied: they stay in a core's own cache. */
const BATCH = 2 ** 14;

/**
 * Eigenvalues of a symmetric matrix, the largest first: Householder's tridiagonal form, then the implicit QL
 * algorithm (Golub and Van Loan, Matrix Computations, 8.3; Bowdler, Martin, Reinsch and Wilkinson 1968). Errors are a
 * few ulp of the largest magnitude.
 *
 * @param matrix [D, D] row-major; its lower triangle is read, and it is overwritten.
 * @throws {HatchlingError} When it is no square matrix or not finite.
 */
export function symmetricEigenvalues(matrix: Float64Array, dim: number): Float64Array<ArrayBuffer> {
  const unit = scale(matrix, dim);
  const { diagonal, below } = tridiagonalize(matrix, dim);
  diagonalize(diagonal, below, () => {});
  return diagonal.sort().reverse().map((value) => value * unit);
}

/**
 * Eigenvalues and vectors of a symmetric matrix: see {@linkcode symmetricEigenvalues}. Vectors are orthogonal to a few
 * ulp whatever the values; those of equal values are any basis of their space.
 *
 * @param matrix [D, D] row-major; its lower triangle is read, and it is overwritten.
 * @throws {HatchlingError} When it is no square matrix or not finite.
 */
export function symmetricEigen(matrix: Float64Array, dim: number): Eigen {
  const unit = scale(matrix, dim);
  const { diagonal, below, norms } = tridiagonalize(matrix, dim);
  const basis = reflect(matrix, norms, dim);
  const rotations = new Rotations(basis, dim);
  diagonalize(diagonal, below, rotations.add);
  rotations.apply();
  const order = Array.from(diagonal.keys()).sort((a, b) => diagonal[b] - diagonal[a]);
  const vectors = new Float64Array(dim * dim);
  for (let r = 0; r < dim; r++) {
    for (let c = 0; c < dim; c++) vectors[c * dim + r] = basis[r * dim + order[c]];
  }
  return { values: Float64Array.from(order, (i) => diagonal[i] * unit), vectors };
}

/** Divides the lower triangle by its largest magnitude, so that squares neither overflow nor vanish. */
function scale(matrix: Float64Array, dim: number): number {
  if (!Number.isInteger(dim) || dim < 1 || matrix.length !== dim * dim) {
    throw new HatchlingError(
      `Expected a matrix [D ≥ 1, D] but found ${matrix.length} values for D ${dim}`,
    );
  }
  let most = 0;
  for (let r = 0; r < dim; r++) {
    for (let at = r * dim; at <= r * dim + r; at++) {
      most = Math.max(most, Math.abs(matrix[at])); // NaN stays
    }
    if (!Number.isFinite(most)) {
      throw new HatchlingError(`Expected a finite matrix but found ${most} in row ${r}`);
    }
  }
  const unit = most || 1;
  for (let i = 0; i < matrix.length; i++) matrix[i] /= unit;
  return unit;
}

/**
 * Implicit QL: `diagonal` becomes the eigenvalues. `rotate` gets every sweep: from row `high` down to `low`, the cosine
 * and sine of the rotations of columns i and i + 1.
 */
function diagonalize(
  d: Float64Array,
  e: Float64Array,
  rotate: (high: number, low: number, cosines: Float64Array, sines: Float64Array) => void,
): void {
  const n = d.length;
  const cosines = new Float64Array(n), sines = new Float64Array(n);
  const norm = d.reduce((most, x, i) => Math.max(most, Math.abs(x) + Math.abs(e[i])), 0);
  for (let l = 0; l < n; l++) {
    for (let turn = 0;; turn++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]) > Number.EPSILON * norm) m++;
      if (m === l) break;
      if (turn === MOST_ITERATIONS) {
        throw new HatchlingError(
          `Expected eigenvalue ${l} of ${n} within ${turn} iterations but it does not settle`,
        );
      }
      // Wilkinson's shift.
      const half = (d[l + 1] - d[l]) / (2 * e[l]);
      const root = Math.hypot(half, 1);
      let g = d[m] - d[l] + e[l] / (half + (half < 0 ? -root : root));
      let s = 1, c = 1, p = 0, i = m - 1;
      for (; i >= l; i--) {
        const f = s * e[i], b = c * e[i];
        const r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) { // the matrix falls apart here
          d[i + 1] -= p;
          e[m] = 0;
          break;
        }
        s = f / r, c = g / r;
        g = d[i + 1] - p;
        const t = (d[i] - g) * s + 2 * c * b;
        p = s * t;
        d[i + 1] = g + p;
        g = c * t - b;
        cosines[i] = c, sines[i] = s;
      }
      rotate(m - 1, i + 1, cosines, sines);
      if (i >= l) continue;
      d[l] -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
}

/** Sweeps of rotations that wait, and the rows that they turn. */
class Rotations {
  readonly #rows: Float64Array;
  readonly #dim: number;
  readonly #pairs: Float64Array;
  readonly #sweeps: number[] = [];
  #count = 0;

  constructor(rows: Float64Array, dim: number) {
    this.#rows = rows;
    this.#dim = dim;
    this.#pairs = new Float64Array(2 * Math.max(BATCH, dim));
  }

  /** Keeps a sweep. */
  readonly add = (high: number, low: number, cosines: Float64Array, sines: Float64Array): void => {
    const length = high - low + 1;
    if (length < 1) return;
    if (2 * (this.#count + length) > this.#pairs.length) this.apply();
    this.#sweeps.push(high, low);
    for (let i = high, at = 2 * this.#count; i >= low; i--, at += 2) {
      this.#pairs[at] = cosines[i];
      this.#pairs[at + 1] = sines[i];
    }
    this.#count += length;
  };

  /** Turns all rows by what was kept. */
  apply(): void {
    const dim = this.#dim;
    let r = 0;
    for (; r + 4 <= dim; r += 4) sweepFour(this.#rows, r * dim, dim, this.#pairs, this.#sweeps);
    for (; r < dim; r++) sweepOne(this.#rows, r * dim, this.#pairs, this.#sweeps);
    this.#sweeps.length = this.#count = 0;
  }
}

/** Four rows side by side: each waits for its own last rotation. */
function sweepFour(
  z: Float64Array,
  first: number,
  dim: number,
  pairs: Float64Array,
  sweeps: readonly number[],
): void {
  const second = first + dim, third = second + dim, fourth = third + dim;
  let at = 0;
  for (let k = 0; k < sweeps.length; k += 2) {
    const high = sweeps[k], low = sweeps[k + 1];
    let w = z[first + high + 1], x = z[second + high + 1];
    let y = z[third + high + 1], v = z[fourth + high + 1];
    for (let i = high; i >= low; i--, at += 2) {
      const c = pairs[at], s = pairs[at + 1];
      const p = z[first + i], q = z[second + i], r = z[third + i], t = z[fourth + i];
      z[first + i + 1] = s * p + c * w;
      z[second + i + 1] = s * q + c * x;
      z[third + i + 1] = s * r + c * y;
      z[fourth + i + 1] = s * t + c * v;
      w = c * p - s * w;
      x = c * q - s * x;
      y = c * r - s * y;
      v = c * t - s * v;
    }
    z[first + low] = w, z[second + low] = x, z[third + low] = y, z[fourth + low] = v;
  }
}

function sweepOne(
  z: Float64Array,
  first: number,
  pairs: Float64Array,
  sweeps: readonly number[],
): void {
  let at = 0;
  for (let k = 0; k < sweeps.length; k += 2) {
    const high = sweeps[k], low = sweeps[k + 1];
    let w = z[first + high + 1];
    for (let i = high; i >= low; i--, at += 2) {
      const c = pairs[at], s = pairs[at + 1], p = z[first + i];
      z[first + i + 1] = s * p + c * w;
      w = c * p - s * w;
    }
    z[first + low] = w;
  }
}
