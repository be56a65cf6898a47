/**
 * A linear probe in closed form.
 *
 * @module
 */
import type { Gpu } from "../gpu.ts";
import { symmetricEigen } from "./eigen.ts";
import type { FeatureArray } from "./features.ts";
import { gramOf } from "./gram.ts";
import { GpuRows } from "./rows.ts";
import { checkClasses, classRank, type LabeledFeatures, standardizer } from "./standardize.ts";

/** Accuracy of a linear probe. */
export interface ProbeResult {
  /** Rows whose class has the largest output, in percent. */
  top1: number;
  /** Rows whose class is among the five largest outputs, in percent. */
  top5: number;
  /** Rows that were judged. */
  rows: number;
}

/** Result of {@linkcode ridgeProbe}. */
export interface RidgeResult extends ProbeResult {
  /** The penalty that was chosen, per row: λ / n. */
  lambda: number;
}

/** Penalties λ / n that are tried; the eigenvalues of XᵀX / n have the mean 1. */
const PENALTIES = Array.from({ length: 21 }, (_, i) => 10 ** (i / 2 - 6));

/**
 * Ridge regression from standardised features to one-hot classes, with an intercept that is not penalised. The
 * penalty has the least generalised cross-validation error on the training rows (Golub, Heath and Wahba 1979),
 * n ‖Y − Ŷ‖² / (n − tr H)². Without test rows each row is judged by the fit to all others, which the closed form
 * gives exactly: y − (y − ŷ) / (1 − h).
 *
 * The fit is float64 on the host, outputs are float32 products on the GPU.
 *
 * @param train Rows to fit, [n, D].
 * @param test Rows to judge, [m, D]. Default: the training rows, each left out in turn.
 * @throws {HatchlingError} When sizes do not fit, features are not finite, or there are fewer than two classes or
 * three rows.
 *
 * @example
 * ```ts
 * import { ridgeProbe } from "@hatchling/hatchling/eval";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * const features = { data: Float32Array.of(0, 0.1, 0.2, 5, 5.1, 5.2), shape: [6, 1] };
 * const { top1 } = await ridgeProbe(gpu, { features, labels: [0, 0, 0, 1, 1, 1] });
 * console.assert(top1 === 100);
 * gpu.destroy();
 * ```
 */
export async function ridgeProbe(
  gpu: Gpu,
  train: LabeledFeatures,
  test?: LabeledFeatures,
): Promise<RidgeResult> {
  const classes = checkClasses(train, 3);
  const standardize = standardizer(train.features);
  const x = standardize(train.features);
  const [rows, dim] = x.shape;
  const { values, vectors, targets, mean, shares } = decompose(x, train.labels, classes);
  const lambda = choosePenalty(values, targets, shares, rows);

  // Of every class its weights over the dimensions; without a test set, also what gives the leverages.
  const factor = values.map((value) => 1 / (value + lambda));
  const right = new Float32Array((test ? classes : classes + dim) * dim);
  const bias = new Float64Array(classes), weights = new Float64Array(dim);
  for (let c = 0; c < classes; c++) {
    weights.fill(0);
    for (let k = 0; k < dim; k++) {
      const share = factor[k] * targets[c * dim + k];
      for (let d = 0; d < dim; d++) weights[d] += vectors[k * dim + d] * share;
    }
    right.set(weights, c * dim);
    bias[c] = weights.reduce((sum, weight, d) => sum - mean[d] * weight, shares[c]);
  }
  if (!test) {
    for (let k = 0; k < dim; k++) {
      const root = Math.sqrt(factor[k]);
      for (let d = 0; d < dim; d++) right[(classes + k) * dim + d] = vectors[k * dim + d] * root;
    }
  }
  const judged = test
    ? { ...test, features: standardize(test.features) }
    : { ...train, features: x };
  const [count] = judged.features.shape;
  const columns = right.length / dim, output = new Float64Array(classes);
  const onGpu = new GpuRows(gpu, judged.features, columns);
  let top1 = 0, top5 = 0;
  try {
    await onGpu.times(right, (row, products, at) => {
      const own = judged.labels[row];
      for (let c = 0; c < classes; c++) output[c] = products[at + c] + bias[c];
      if (!test) {
        let leverage = 1 / rows;
        for (let k = classes; k < columns; k++) leverage += products[at + k] ** 2;
        output[own] = 1 - (1 - output[own]) / Math.max(1e-9, 1 - leverage);
        for (let c = 0; c < classes; c++) {
          if (c !== own) output[c] /= Math.max(1e-9, 1 - leverage);
        }
      }
      const rank = classRank(output, 0, classes, own);
      if (rank === 0) top1++;
      if (rank < 5) top5++;
    });
  } finally {
    onGpu.destroy();
  }
  return {
    top1: 100 * top1 / count,
    top5: 100 * top5 / count,
    rows: count,
    lambda: lambda / rows,
  };
}

/** Eigenvalues and vectors of XᵀX, and Xᵀ(Y − mean of Y) in their basis, [C, D]. */
function decompose(x: FeatureArray, labels: ArrayLike<number>, classes: number) {
  const { data, shape: [rows, dim] } = x;
  const { values, vectors } = symmetricEigen(gramOf(data, rows, dim), dim);
  const shares = new Float64Array(classes), mean = new Float64Array(dim);
  const sums = new Float64Array(classes * dim);
  for (let r = 0; r < rows; r++) {
    shares[labels[r]] += 1 / rows;
    for (let d = 0; d < dim; d++) {
      const value = data[r * dim + d];
      mean[d] += value / rows;
      sums[labels[r] * dim + d] += value;
    }
  }
  const targets = new Float64Array(classes * dim);
  for (let c = 0; c < classes; c++) {
    const own = mean.map((m, d) => sums[c * dim + d] - rows * shares[c] * m);
    for (let k = 0; k < dim; k++) {
      for (let d = 0; d < dim; d++) targets[c * dim + k] += own[d] * vectors[k * dim + d];
    }
  }
  return { values: values.map((value) => Math.max(0, value)), vectors, targets, mean, shares };
}

function choosePenalty(
  values: Float64Array,
  targets: Float64Array,
  shares: Float64Array,
  rows: number,
): number {
  const dim = values.length;
  const energy = values.map((_, k) => {
    let sum = 0;
    for (let i = k; i < targets.length; i += dim) sum += targets[i] ** 2;
    return sum;
  });
  const total = shares.reduce((sum, share) => sum + rows * share * (1 - share), 0);
  let [best, least] = [rows * PENALTIES.at(-1)!, Infinity];
  for (const penalty of PENALTIES) {
    const lambda = rows * penalty;
    let residual = total, trace = 1; // 1 of the intercept
    values.forEach((value, k) => {
      const s = 1 / (value + lambda);
      residual -= (2 - value * s) * s * energy[k];
      trace += value * s;
    });
    const free = rows - trace;
    if (free < 1e-6 * rows) continue; // the fit goes through all rows: nothing can be said
    const error = Math.max(0, residual) / free ** 2;
    if (error < least) [best, least] = [lambda, error];
  }
  return best;
}
