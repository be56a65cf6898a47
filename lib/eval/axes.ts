/**
 * Principal axes of features, in float64: what components and whitening are made of.
 *
 * @module
 */
import { symmetricEigen } from "./eigen.ts";
import { gramOf, gramOfRows, timesRows } from "./gram.ts";

/** Axes of rows [n, D]. */
export interface Axes {
  /** Mean of the rows, [D]. */
  mean: Float64Array<ArrayBuffer>;
  /** Axes of length 1, [k, D], of most variance first. */
  vectors: Float64Array<ArrayBuffer>;
  /** Variance (÷ n) along each, [k]. */
  variance: Float64Array<ArrayBuffer>;
}

/** Axes with less than this share of the largest variance can't be told from the rows' products. */
const LEAST = 1e-10;

/**
 * All D axes: eigenvectors of the covariance. Where variance is 0 they are any that complete the others.
 *
 * @param x n · D finite values, row-major.
 */
export function axesOf(x: ArrayLike<number>, rows: number, dim: number): Axes {
  const { mean, unit } = centerOf(x, rows, dim);
  const { values, vectors } = symmetricEigen(gramOf(x, rows, dim, { mean, unit }), dim);
  return { mean, vectors, variance: values.map((value) => varianceOf(value, rows, unit)) };
}

/**
 * The axes with variance, at most n − 1, by the products of the rows: sooner where there are fewer rows than
 * dimensions. None where all rows are the same.
 */
export function axesOfFewRows(x: ArrayLike<number>, rows: number, dim: number): Axes {
  const { mean, unit } = centerOf(x, rows, dim);
  const { values, vectors } = symmetricEigen(gramOfRows(x, rows, dim, { mean, unit }), rows);
  const count = values.filter((value) => value > LEAST * values[0]).length;
  const combined = timesRows(vectors.subarray(0, count * rows), x, rows, dim, { mean, unit });
  for (let k = 0; k < count; k++) {
    const length = Math.sqrt(values[k]);
    for (let i = k * dim; i < (k + 1) * dim; i++) combined[i] /= length;
  }
  const variance = values.subarray(0, count).map((value) => varianceOf(value, rows, unit));
  return { mean, vectors: combined, variance };
}

function varianceOf(value: number, rows: number, unit: number): number {
  return Math.max(0, value) / rows * unit * unit;
}

/** The mean, and the largest magnitude that is left without it. */
function centerOf(x: ArrayLike<number>, rows: number, dim: number) {
  const mean = new Float64Array(dim);
  for (let i = 0; i < x.length; i++) mean[i % dim] += x[i] / rows;
  let unit = 0;
  for (let i = 0; i < x.length; i++) unit = Math.max(unit, Math.abs(x[i] - mean[i % dim]));
  return { mean, unit: unit || 1 };
}
