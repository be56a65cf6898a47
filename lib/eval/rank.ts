/**
 * Do the features use their dimensions? Their effective rank and their spread: both fall when training
 * collapses, and need no labels.
 *
 * @module
 */
import { EigenvalueDecomposition, Matrix } from "../deps.ts";
import { HatchlingError } from "../errors.ts";

/** Most rows that are looked at: of more, evenly spread ones from the first. */
const MAX_ROWS = 256;

/** Added to every share, as in the paper. */
const EPS = 1e-7;

/** Elements this small beside the largest count as 0. */
const TINY = 1e-30;

/**
 * RankMe (Garrido et al. 2023, arXiv:2210.02885, eq. 1): exp(−Σ_k p_k log p_k) with
 * p_k = σ_k / ‖σ‖₁ + 1e-7 over the min(rows, D) singular values σ of the features, neither centred nor
 * normalised. From about 1 (all rows are multiples of one) to min(rows, D).
 *
 * At most 256 rows are used, evenly spread; so compare only values of equal numbers of rows. The σ are
 * the roots of the smaller Gram matrix's eigenvalues, which halves their digits: those below 3e-7 of the
 * largest count as 0. The result is right to 1e-6 of itself where no other σ is below 1e-6 of the largest,
 * and to 3e-3 in any case; the 1e-7 above adds as much.
 *
 * @param features rows · dim values, row-major.
 * @returns 0 where all features are 0; NaN where any is not finite.
 * @throws {HatchlingError} When rows and dim do not fit the features.
 *
 * @example
 * ```ts
 * import { rankMe } from "./rank.ts";
 *
 * console.log(rankMe([1, 0, 0, 1, 0, 0], 2, 3).toFixed(3)); // both rows the same: 1.000
 * console.log(rankMe([1, 0, 0, 0, 1, 0], 2, 3).toFixed(3)); // at right angles: 2.000
 * ```
 */
export function rankMe(features: ArrayLike<number>, rows: number, dim: number): number {
  const sample = take(features, rows, dim);
  if (!sample) return NaN;
  const top = sample.reduce((m, row) => Math.max(m, largest(row)), 0);
  if (top === 0) return 0;
  for (const row of sample) {
    divide(row, top);
    // What is far below rounding: ml-matrix fails (NaN) where products of elements are subnormal.
    for (let d = 0; d < dim; d++) if (Math.abs(row[d]) < TINY) row[d] = 0;
  }
  const vectors = sample.length <= dim ? sample : columns(sample, dim);
  const { realEigenvalues } = new EigenvalueDecomposition(gram(vectors), { assumeSymmetric: true });
  const most = Math.max(...realEigenvalues);
  // What an eigenvalue of 0 comes out as.
  const noise = 2 * vectors.length * Number.EPSILON * most;
  const sigma = realEigenvalues.map((value) => value > noise ? Math.sqrt(value) : 0);
  const total = sigma.reduce((a, b) => a + b);
  const entropy = sigma.reduce((sum, s) => {
    const p = s / total + EPS;
    return sum - p * Math.log(p);
  }, 0);
  return Math.exp(entropy);
}

/**
 * How far the rows are spread (Chen and He 2021, SimSiam, arXiv:2011.10566, section 4.1): the standard
 * deviation over the L2-normalised rows (÷ rows, not rows − 1), mean over the dimensions, times √D. 0
 * where all rows have one direction; about 1 where they point anywhere; never above 1.
 *
 * At most 256 rows are used, evenly spread. A row of zeros stays zeros. Right to 1e-12.
 *
 * @param features rows · dim values, row-major.
 * @returns NaN where any feature is not finite.
 * @throws {HatchlingError} When rows and dim do not fit the features.
 *
 * @example
 * ```ts
 * import { featureStd } from "./rank.ts";
 *
 * console.log(featureStd([1, 2, 10, 20], 2, 2)); // one direction: 0
 * console.log(featureStd([3, 0, 0, 5, -1, 0, 0, -2], 4, 2)); // everywhere: 1
 * ```
 */
export function featureStd(features: ArrayLike<number>, rows: number, dim: number): number {
  const sample = take(features, rows, dim);
  if (!sample) return NaN;
  for (const row of sample) {
    divide(row, largest(row)); // so that squares neither overflow nor vanish
    divide(row, Math.sqrt(dot(row, row)));
  }
  let sum = 0;
  for (let d = 0; d < dim; d++) {
    let mean = 0, squares = 0;
    for (const row of sample) mean += row[d] / sample.length;
    for (const row of sample) squares += (row[d] - mean) ** 2;
    sum += Math.sqrt(squares / sample.length);
  }
  return sum / Math.sqrt(dim);
}

/** Copies of the rows to look at; undefined where any feature is not finite. */
function take(
  features: ArrayLike<number>,
  rows: number,
  dim: number,
): Float64Array[] | undefined {
  const whole = [rows, dim].every((n) => Number.isInteger(n) && n > 0);
  if (!whole || features.length !== rows * dim) {
    throw new HatchlingError(
      `Expected features of [rows ≥ 1, D ≥ 1] but found ${features.length} values for [${rows}, ${dim}]`,
    );
  }
  for (let i = 0; i < features.length; i++) {
    if (!Number.isFinite(features[i])) return undefined;
  }
  const count = Math.min(rows, MAX_ROWS);
  return Array.from({ length: count }, (_, i) => {
    const start = Math.floor(i * rows / count) * dim;
    const row = new Float64Array(dim);
    for (let d = 0; d < dim; d++) row[d] = features[start + d];
    return row;
  });
}

function largest(row: Float64Array): number {
  let top = 0;
  for (let d = 0; d < row.length; d++) top = Math.max(top, Math.abs(row[d]));
  return top;
}

/** In place; by 0 leaves the row as it is. */
function divide(row: Float64Array, by: number): void {
  if (by > 0) { for (let d = 0; d < row.length; d++) row[d] /= by; }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d] * b[d];
  return sum;
}

function columns(rows: readonly Float64Array[], dim: number): Float64Array[] {
  return Array.from({ length: dim }, (_, d) => Float64Array.from(rows, (row) => row[d]));
}

function gram(vectors: readonly Float64Array[]): Matrix {
  const out = Matrix.zeros(vectors.length, vectors.length);
  vectors.forEach((a, i) => {
    for (let j = 0; j <= i; j++) {
      const value = dot(a, vectors[j]);
      out.set(i, j, value);
      out.set(j, i, value);
    }
  });
  return out;
}
