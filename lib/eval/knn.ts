/**
 * Weighted k-nearest-neighbour classification, the measure that DINO reports without any training
 * (https://github.com/facebookresearch/dino, eval_knn.py; Wu et al. 2018).
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import type { Features } from "./features.ts";
import { nearest, type NearestOptions, type Neighbors } from "./nearest.ts";

/** How neighbours vote. */
export interface KnnOptions {
  /** Neighbours that vote, ≥ 1; at most the rows of the training set. */
  k: number;
  /** Temperature T of a vote exp(similarity / T), > 0. Default 0.07. */
  temperature?: number;
  /** Number of classes C. Default: the highest label + 1. */
  numClasses?: number;
  /** Keep the votes in the result. Default false: they take 8 · m · C bytes. */
  keepVotes?: boolean;
}

/** Result of a k-NN classification of m test rows. */
export interface KnnResult extends Neighbors {
  /** Rows whose class won the vote, in percent. */
  top1: number;
  /** Rows whose class is among the first min(5, k) of the vote, in percent. */
  top5: number;
  /** How many rows count for `top5` only because unvoted classes, by index, filled the list. */
  top5ByPadding: number;
  /** How many rows could count that way in another order of the unvoted classes. */
  top5Ambiguous: number;
  /** Winning class per row, [m]. */
  pred: Int32Array<ArrayBuffer>;
  /** Σ exp(similarity / T) per class, [m, C]; only with `keepVotes`. */
  votes?: Float64Array<ArrayBuffer>;
}

function checkLabels(labels: ArrayLike<number>, rows: number, classes: number, what: string): void {
  if (labels.length !== rows) {
    throw new HatchlingError(`Expected ${rows} ${what} labels but found ${labels.length}`);
  }
  for (let i = 0; i < rows; i++) {
    if (!Number.isInteger(labels[i]) || labels[i] < 0 || labels[i] >= classes) {
      throw new HatchlingError(
        `Expected ${what} labels from 0 to ${classes - 1} but found ${labels[i]} in row ${i}`,
      );
    }
  }
}

function highest(labels: ArrayLike<number>): number {
  return Array.prototype.reduce.call(
    labels,
    (a, b) => Math.max(a as number, b as number),
    -1,
  ) as number;
}

/**
 * Lets neighbours vote: each of the k nearest votes exp(similarity / T) for its class; equal votes rank by
 * class index. Neighbours found once serve several label sets and any smaller k.
 *
 * @param neighbors of m test rows, see {@linkcode nearest}.
 * @param trainLabels [n], the classes of the gallery.
 * @param testLabels [m].
 * @throws {HatchlingError} when labels, k or temperature are out of range, or votes overflow.
 */
export function voteKnn(
  neighbors: Neighbors,
  trainLabels: ArrayLike<number>,
  testLabels: ArrayLike<number>,
  options: KnnOptions,
): KnnResult {
  const { k, temperature = 0.07, keepVotes = false } = options;
  const { rows: m } = neighbors;
  const classes = options.numClasses ?? 1 + Math.max(highest(trainLabels), highest(testLabels));
  checkLabels(trainLabels, trainLabels.length, classes, "training");
  checkLabels(testLabels, m, classes, "test");
  if (!Number.isInteger(k) || k < 1 || k > neighbors.k) {
    throw new HatchlingError(`Expected k from 1 to ${neighbors.k} neighbours but found ${k}`);
  }
  if (!(temperature > 0)) {
    throw new HatchlingError(`Expected a temperature > 0 but found ${temperature}`);
  }
  const pred = new Int32Array(m);
  const votes = keepVotes ? new Float64Array(m * classes) : undefined;
  const width = Math.min(5, k);
  let top1 = 0, top5 = 0, top5ByPadding = 0, top5Ambiguous = 0;
  for (let row = 0; row < m; row++) {
    const line = new Float64Array(classes);
    for (let i = row * neighbors.k; i < row * neighbors.k + k; i++) {
      line[trainLabels[neighbors.indices[i]]] += Math.exp(neighbors.similarity[i] / temperature);
    }
    const label = testLabels[row];
    let winner = 0, rank = 0, voted = 0;
    for (let c = 0; c < classes; c++) {
      if (line[c] > line[winner]) winner = c;
      if (line[c] > line[label] || (line[c] === line[label] && c < label)) rank++;
      if (line[c] > 0) voted++;
    }
    if (!Number.isFinite(line[winner])) {
      throw new HatchlingError(
        `Expected finite votes but exp(similarity / ${temperature}) overflows in row ${row}: ` +
          "normalise the features, or raise the temperature",
      );
    }
    pred[row] = winner;
    if (rank === 0) top1++;
    if (rank < width) top5++;
    if (line[label] === 0 && rank < width) top5ByPadding++;
    if (line[label] === 0 && voted < width) top5Ambiguous++;
    votes?.set(line, row * classes);
  }
  return {
    ...neighbors,
    top1: 100 * top1 / m,
    top5: 100 * top5 / m,
    top5ByPadding,
    top5Ambiguous,
    pred,
    ...(votes && { votes }),
  };
}

/** Options of {@linkcode knnClassify}. */
export interface KnnClassifyOptions extends KnnOptions, NearestOptions {
  /** Test row i is training row i and must not vote for itself. Default false. */
  leaveOneOut?: boolean;
}

/**
 * Classifies test rows by their nearest training rows. Rows should be L2-normalised.
 *
 * @param train [n, D].
 * @param trainLabels [n], classes 0 to C − 1.
 * @param test [m, D].
 * @param testLabels [m].
 * @throws {HatchlingError} when shapes, labels or options are out of range.
 *
 * @example
 * ```ts
 * import { knnClassify, normalizeFeatures } from "@hatchling/hatchling/eval";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * const features = { data: normalizeFeatures(new Float32Array([1, 0, 2, 1, 0, 1, 1, 3]), 2), shape: [4, 2] };
 * const { top1 } = await knnClassify(gpu, features, [0, 0, 1, 1], features, [0, 0, 1, 1], {
 *   k: 1,
 *   leaveOneOut: true,
 * });
 * console.assert(top1 === 100);
 * ```
 *
 * @category Evaluation
 */
export async function knnClassify(
  gpu: Gpu,
  train: Features,
  trainLabels: ArrayLike<number>,
  test: Features,
  testLabels: ArrayLike<number>,
  options: KnnClassifyOptions,
): Promise<KnnResult> {
  checkLabels(trainLabels, train.shape[0], options.numClasses ?? Infinity, "training");
  checkLabels(testLabels, test.shape[0], options.numClasses ?? Infinity, "test");
  const exclude = options.leaveOneOut
    ? Int32Array.from({ length: test.shape[0] }, (_, i) => i)
    : options.exclude;
  const neighbors = await nearest(gpu, test, train, options.k, { ...options, exclude });
  return voteKnn(neighbors, trainLabels, testLabels, options);
}
