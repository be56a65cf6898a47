/**
 * Principal components, in float64.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { axesOf } from "./axes.ts";
import { checkRows, type FeatureArray } from "./features.ts";

/** What {@linkcode pca} finds. */
export interface PrincipalComponents {
  /** Mean of the rows, [D]. */
  mean: Float64Array;
  /** Directions of unit length, [k, D], of most variance first. */
  components: Float64Array;
  /** Variance (÷ n) along each direction, [k]. */
  variance: Float64Array;
  /** Share of the whole variance along each direction, [k]; 0 where there is none at all. */
  explained: Float64Array;
  /** Coordinates [n, k] of rows [n, D] along the directions, from the mean. */
  project(features: FeatureArray): Float64Array;
}

/**
 * The k directions of most variance of rows [n, D]. Of each, the entry of largest magnitude (the first of equal
 * ones) is positive, so that the same features always give the same picture. Where variance is 0, any directions that
 * complete the others are given.
 *
 * @param features [n, D].
 * @param k From 1 to D.
 * @throws {HatchlingError} When the shape or k does not fit, or features are not finite.
 *
 * @example
 * ```ts
 * import { pca } from "@hatchling/hatchling/eval";
 *
 * const features = { data: Float32Array.of(0, 0, 1, 2, 2, 4), shape: [3, 2] as [number, number] };
 * const { explained, project } = pca(features, 1);
 * console.log(explained[0].toFixed(3)); // all on one line: 1.000
 * console.log(project(features).map((x) => Math.round(100 * x))); // −224, 0, 224
 * ```
 *
 * @category Evaluation
 */
export function pca(features: FeatureArray, k: number): PrincipalComponents {
  const { rows, dim } = checkRows(features, "features");
  if (!Number.isInteger(k) || k < 1 || k > dim) {
    throw new HatchlingError(`Expected from 1 to ${dim} principal components but found ${k}`);
  }
  const { mean, vectors, variance } = axesOf(features.data, rows, dim);
  const total = variance.reduce((a, b) => a + b);
  const components = vectors.subarray(0, k * dim);
  for (let c = 0; c < k; c++) fixSign(components.subarray(c * dim, (c + 1) * dim));
  return {
    mean,
    components,
    variance: variance.subarray(0, k),
    explained: variance.subarray(0, k).map((value) => total > 0 ? value / total : 0),
    project(other) {
      const { rows: n, dim: width } = checkRows(other, "features");
      if (width !== dim) {
        throw new HatchlingError(`Expected features [n, ${dim}] to project but found D ${width}`);
      }
      const out = new Float64Array(n * k);
      for (let r = 0; r < n; r++) {
        for (let c = 0; c < k; c++) {
          let sum = 0;
          for (let d = 0; d < dim; d++) {
            sum += (other.data[r * dim + d] - mean[d]) * components[c * dim + d];
          }
          out[r * k + c] = sum;
        }
      }
      return out;
    },
  };
}

/** Turns a vector so that the entry of largest magnitude, the first of equal ones, is positive. */
export function fixSign(vector: Float64Array): void {
  const most = vector.reduce((best, x, d) => Math.abs(x) > Math.abs(vector[best]) ? d : best, 0);
  if (vector[most] < 0) vector.forEach((x, d) => vector[d] = -x);
}
