/**
 * A linear probe in closed form.
 *
 * @module
 */
import { EigenvalueDecomposition, Matrix } from "../deps.ts";
import { HatchlingError } from "../errors.ts";
import { checkRows, type FeatureArray } from "./features.ts";

/** Result of {@linkcode ridgeProbe}. */
export interface RidgeResult {
  /** Rows whose class has the largest output, in percent: each row judged by a probe that has not seen it. */
  top1: number;
  /** Rows whose class is among the five largest outputs, in percent. */
  top5: number;
  /** The penalty that was chosen, per row. */
  lambda: number;
}

/** Penalties that are tried, relative to the mean eigenvalue. */
const PENALTIES = Array.from({ length: 13 }, (_, i) => 10 ** (i - 8));

/**
 * Ridge regression from standardised features to one-hot classes, judged leave-one-out: the outputs for a row
 * are those of the probe fitted to all others, which the closed form gives exactly, y − (y − ŷ) / (1 − h). The
 * penalty with the least squared error of these outputs is taken (Golub, Heath and Wahba 1979). All in float64.
 *
 * @param features [n, D].
 * @param labels [n], classes from 0.
 * @throws {HatchlingError} When sizes do not fit, or there are fewer than two classes or three rows.
 *
 * @example
 * ```ts
 * import { ridgeProbe } from "./ridge.ts";
 *
 * const features = { data: Float32Array.of(0, 0.1, 0.2, 5, 5.1, 5.2), shape: [6, 1] };
 * console.assert(ridgeProbe(features, [0, 0, 0, 1, 1, 1]).top1 === 100);
 * ```
 */
export function ridgeProbe(features: FeatureArray, labels: ArrayLike<number>): RidgeResult {
  const { rows, dim } = checkRows(features, "features");
  const classes = Array.prototype.reduce.call(
    labels,
    (a, b) => Math.max(a as number, b as number),
    -1,
  ) as number + 1;
  if (labels.length !== rows || rows < 3 || new Set(Array.from(labels)).size < 2) {
    throw new HatchlingError(
      `Expected labels of two or more classes for ${rows} rows (three or more) but found ${labels.length}`,
    );
  }
  const x = standardized(features.data, rows, dim);
  const gram = new Matrix(dim, dim);
  for (let i = 0; i < dim; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let r = 0; r < rows; r++) sum += x[r * dim + i] * x[r * dim + j];
      gram.set(i, j, sum);
      gram.set(j, i, sum);
    }
  }
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, {
    assumeSymmetric: true,
  });
  const values = realEigenvalues.map((value) => Math.max(0, value));
  const mean = values.reduce((a, b) => a + b) / dim || 1;

  // Rows in the basis of eigenvectors, z, and zᵀy, y being one-hot and centred.
  const shares = new Float64Array(classes);
  for (let r = 0; r < rows; r++) shares[labels[r]] += 1 / rows;
  const z = new Float64Array(rows * dim), zy = new Float64Array(dim * classes);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < dim; k++) {
      let sum = 0;
      for (let d = 0; d < dim; d++) sum += x[r * dim + d] * eigenvectorMatrix.get(d, k);
      z[r * dim + k] = sum;
      zy[k * classes + labels[r]] += sum;
    }
  }
  let best: RidgeResult & { error: number } | undefined;
  for (const penalty of PENALTIES) {
    const lambda = penalty * mean;
    const scale = values.map((value) => 1 / (value + lambda));
    let [error, top1, top5] = [0, 0, 0];
    const output = new Float64Array(classes);
    for (let r = 0; r < rows; r++) {
      output.set(shares);
      let leverage = 1 / rows;
      for (let k = 0; k < dim; k++) {
        const weight = z[r * dim + k] * scale[k];
        leverage += z[r * dim + k] * weight;
        for (let c = 0; c < classes; c++) output[c] += weight * zy[k * classes + c];
      }
      const own = labels[r];
      for (let c = 0; c < classes; c++) {
        const target = c === own ? 1 : 0;
        output[c] = target - (target - output[c]) / Math.max(1e-9, 1 - leverage);
        error += (target - output[c]) ** 2;
      }
      const above = output.reduce(
        (n, value, c) => n + (value > output[own] || (value === output[own] && c < own) ? 1 : 0),
        0,
      );
      if (above === 0) top1++;
      if (above < 5) top5++;
    }
    if (!best || error < best.error) {
      best = { error, top1: 100 * top1 / rows, top5: 100 * top5 / rows, lambda: lambda / rows };
    }
  }
  const { top1, top5, lambda } = best!;
  return { top1, top5, lambda };
}

/** Mean 0 and standard deviation 1 per dimension; a constant one becomes 0. */
function standardized(data: Float32Array, rows: number, dim: number): Float64Array {
  const out = new Float64Array(rows * dim);
  for (let d = 0; d < dim; d++) {
    let [sum, squares] = [0, 0];
    for (let r = 0; r < rows; r++) sum += data[r * dim + d];
    const mean = sum / rows;
    for (let r = 0; r < rows; r++) squares += (data[r * dim + d] - mean) ** 2;
    const std = Math.sqrt(squares / rows);
    for (let r = 0; r < rows; r++) {
      out[r * dim + d] = std > 1e-12 ? (data[r * dim + d] - mean) / std : 0;
    }
  }
  return out;
}
