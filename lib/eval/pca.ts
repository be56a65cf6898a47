/**
 * Principal components, in float64.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { symmetricEigen } from "./eigen.ts";
import { checkRows, type FeatureArray } from "./features.ts";
import { gramOf } from "./gram.ts";

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
  const { data } = features;
  const mean = new Float64Array(dim);
  for (let i = 0; i < data.length; i++) mean[i % dim] += data[i] / rows;
  const centered = Float64Array.from(data, (value, i) => value - mean[i % dim]);
  const unit = centered.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const { values, vectors } = symmetricEigen(gramOf(centered, rows, dim, unit), dim);
  const total = values.reduce((sum, value) => sum + Math.max(0, value), 0);
  const components = new Float64Array(k * dim);
  const variance = new Float64Array(k), explained = new Float64Array(k);
  for (let c = 0; c < k; c++) {
    const value = Math.max(0, values[c]);
    variance[c] = value / rows * unit * unit;
    explained[c] = total > 0 ? value / total : 0;
    const vector = vectors.subarray(c * dim, (c + 1) * dim);
    const most = vector.reduce((best, x, d) => Math.abs(x) > Math.abs(vector[best]) ? d : best, 0);
    const sign = vector[most] < 0 ? -1 : 1;
    vector.forEach((x, d) => components[c * dim + d] = sign * x);
  }
  return {
    mean,
    components,
    variance,
    explained,
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
