/**
 * How features lie on the sphere (Wang and Isola 2020, arXiv:2005.10242): measures that need no labels.
 *
 * @module
 */
import { checkRows, type FeatureArray } from "./features.ts";

/** Most rows of which all pairs are looked at: of more, evenly spread ones. */
const MOST_ROWS = 2000;

/**
 * Alignment: the mean squared distance between the features of a picture and of a view of it. 0 where views
 * change nothing, 2 where they have nothing in common.
 *
 * @param a [n, D], L2-normalised.
 * @param b [n, D], L2-normalised; row i shows what row i of `a` shows.
 *
 * @example
 * ```ts
 * import { alignment } from "./sphere.ts";
 *
 * const right = { data: Float32Array.of(1, 0), shape: [1, 2] };
 * console.assert(alignment(right, { data: Float32Array.of(0, 1), shape: [1, 2] }) === 2);
 * ```
 */
export function alignment(a: FeatureArray, b: FeatureArray): number {
  const { rows } = checkRows(a, "features");
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i] - b.data[i]) ** 2;
  return sum / rows;
}

/**
 * Uniformity: log of the mean of exp(−2 ‖x − y‖²) over all pairs of 2,000 rows at most. 0 where all features are
 * one, about −4 where they fill the sphere of many dimensions evenly.
 *
 * @param features [n ≥ 2, D], L2-normalised.
 *
 * @example
 * ```ts
 * import { uniformity } from "./sphere.ts";
 *
 * console.assert(uniformity({ data: Float32Array.of(1, 0, 1, 0), shape: [2, 2] }) === 0);
 * ```
 */
export function uniformity(features: FeatureArray): number {
  const { rows, dim } = checkRows(features, "features");
  const { data } = features;
  const count = Math.min(rows, MOST_ROWS);
  const at = Array.from({ length: count }, (_, i) => Math.floor(i * rows / count) * dim);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      let dot = 0;
      for (let d = 0; d < dim; d++) dot += data[at[i] + d] * data[at[j] + d];
      sum += Math.exp(-4 * (1 - dot));
    }
  }
  return Math.log(sum / (count * (count - 1) / 2));
}
