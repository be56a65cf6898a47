/**
 * Do the features use their dimensions? Their effective rank and their spread: both fall when training
 * collapses, and need no labels.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { symmetricEigenvalues } from "./eigen.ts";
import { gramOf, gramOfRows } from "./gram.ts";

/** Which rows are looked at. */
export interface RankOptions {
  /** Most rows, ≥ 1: of more, evenly spread ones from the first. Default 256. */
  maxRows?: number;
}

/** Added to every share, as in the paper. */
const EPS = 1e-7;

/**
 * RankMe (Garrido et al. 2023, arXiv:2210.02885, eq. 1): exp(−Σ_k p_k log p_k) with
 * p_k = σ_k / ‖σ‖₁ + 1e-7 over the min(rows, D) singular values σ of the features, neither centred nor
 * normalised. From about 1 (all rows are multiples of one) to min(rows, D).
 *
 * At most `maxRows` rows are used; compare only values of equal numbers of rows. The σ are the roots of the smaller Gram matrix's eigenvalues, which halves their digits: those below 3e-7 of the
 * largest count as 0. The result is right to 1e-6 of itself where no other σ is below 1e-6 of the largest,
 * and to 3e-3 in any case; the 1e-7 above adds as much.
 *
 * @param features rows · dim values, row-major.
 * @returns 0 where all features are 0; NaN where any is not finite.
 * @throws {HatchlingError} When rows and dim do not fit the features.
 *
 * @example
 * ```ts
 * import { rankMe } from "@hatchling/hatchling/eval";
 *
 * console.log(rankMe([1, 0, 0, 1, 0, 0], 2, 3).toFixed(3)); // both rows the same: 1.000
 * console.log(rankMe([1, 0, 0, 0, 1, 0], 2, 3).toFixed(3)); // at right angles: 2.000
 * ```
 *
 * @category Evaluation
 */
export function rankMe(
  features: ArrayLike<number>,
  rows: number,
  dim: number,
  { maxRows = 256 }: RankOptions = {},
): number {
  const at = rowsOf(features, rows, dim, maxRows);
  if (!at) return NaN;
  const unit = at.reduce((m, start) => Math.max(m, largest(features, start, dim)), 0);
  if (unit === 0) return 0;
  const count = at.length, size = Math.min(count, dim);
  let x = features;
  if (count < rows) {
    const copy = x = new Float64Array(count * dim);
    at.forEach((start, r) => {
      for (let d = 0; d < dim; d++) copy[r * dim + d] = features[start + d];
    });
  }
  // XXᵀ has the same eigenvalues as XᵀX, but for zeros.
  const gram = (count < dim ? gramOfRows : gramOf)(x, count, dim, { unit });
  const values = symmetricEigenvalues(gram, size);
  const [most] = values;
  // What an eigenvalue of 0 comes out as.
  const noise = 2 * size * Number.EPSILON * most;
  const sigma = values.map((value) => value > noise ? Math.sqrt(value) : 0);
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
 * At most `maxRows` rows are used. A row of zeros stays zeros. Right to 1e-12.
 *
 * @param features rows · dim values, row-major.
 * @returns NaN where any feature is not finite.
 * @throws {HatchlingError} When rows and dim do not fit the features.
 *
 * @example
 * ```ts
 * import { featureStd } from "@hatchling/hatchling/eval";
 *
 * console.log(featureStd([1, 2, 10, 20], 2, 2)); // one direction: 0
 * console.log(featureStd([3, 0, 0, 5, -1, 0, 0, -2], 4, 2)); // everywhere: 1
 * ```
 */
export function featureStd(
  features: ArrayLike<number>,
  rows: number,
  dim: number,
  { maxRows = 256 }: RankOptions = {},
): number {
  const at = rowsOf(features, rows, dim, maxRows);
  if (!at) return NaN;
  // Factors that make rows unit vectors; in two steps, so that squares neither overflow nor vanish.
  const units = Float64Array.from(at, (start) => largest(features, start, dim) || 1);
  const norms = Float64Array.from(at, (start, r) => {
    let sum = 0;
    for (let d = 0; d < dim; d++) sum += (features[start + d] / units[r]) ** 2;
    return Math.sqrt(sum) || 1;
  });
  const value = (r: number, d: number) => features[at[r] + d] / units[r] / norms[r];
  let sum = 0;
  for (let d = 0; d < dim; d++) {
    let mean = 0, squares = 0;
    for (let r = 0; r < at.length; r++) mean += value(r, d) / at.length;
    for (let r = 0; r < at.length; r++) squares += (value(r, d) - mean) ** 2;
    sum += Math.sqrt(squares / at.length);
  }
  return sum / Math.sqrt(dim);
}

/** Where the rows to look at begin; undefined where any feature is not finite. */
function rowsOf(
  features: ArrayLike<number>,
  rows: number,
  dim: number,
  maxRows: number,
): Float64Array | undefined {
  const whole = [rows, dim].every((n) => Number.isInteger(n) && n > 0);
  if (!whole || features.length !== rows * dim) {
    throw new HatchlingError(
      `Expected features of [rows ≥ 1, D ≥ 1] but found ${features.length} values for [${rows}, ${dim}]`,
    );
  }
  if (!(maxRows >= 1)) throw new HatchlingError(`Expected maxRows ≥ 1 but found ${maxRows}`);
  for (let i = 0; i < features.length; i++) {
    if (!Number.isFinite(features[i])) return undefined;
  }
  const count = Math.min(rows, Math.floor(maxRows));
  return Float64Array.from({ length: count }, (_, i) => Math.floor(i * rows / count) * dim);
}

function largest(features: ArrayLike<number>, start: number, dim: number): number {
  let top = 0;
  for (let d = start; d < start + dim; d++) top = Math.max(top, Math.abs(features[d]));
  return top;
}
