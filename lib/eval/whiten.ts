/**
 * PCA-whitening: features whose directions count alike, fitted without labels.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import { axesOf, axesOfFewRows } from "./axes.ts";
import { checkRows, type FeatureArray } from "./features.ts";
import { fixSign } from "./pca.ts";
import { GpuRows } from "./rows.ts";

/** What {@linkcode fitWhitening} finds: y = (f − mean) · componentsᵀ / √(variance + α · mean variance). */
export interface Whitening {
  /** Mean of the features, [D]. */
  mean: Float32Array;
  /** Directions of length 1, [k, D], of most variance first; in each the entry of largest magnitude is positive. */
  components: Float32Array;
  /** Variance (÷ n) along each direction, [k]. */
  variance: Float32Array;
  /** Mean variance of min(n, D) directions, those left out too. */
  meanVariance: number;
  /** α, the shrinkage: another one may be put in its place. */
  alpha: number;
  /** Rows that it was fitted to. */
  rows: number;
}

/** Options of {@linkcode fitWhitening}. */
export interface WhitenOptions {
  /**
   * Shrinkage α ≥ 0, in mean variances. 0 gives every direction the variance 1, noise too; the larger, the more they
   * keep their own. Default 1.
   */
  alpha?: number;
  /**
   * Keep as many directions as hold this share of the variance of whitened features, above 0 to 1; 1 keeps all that
   * have any. Default: 256, and more up to a share of 0.95: half of those of grids and pixels, at the same figures.
   */
  explained?: number;
  /** Most eigenvalues, as time grows with their third power. Default 2048. */
  maxEigenvalues?: number;
}

/** Default of {@linkcode WhitenOptions.alpha}. */
export const ALPHA = 1;

/** Share of the whitened variance that is kept by default, and directions that are kept whatever they hold. */
const SHARE = 0.95, DIRECTIONS = 256;

/** Rows that are enough for the covariance: of more, evenly spread ones are taken. */
const MOST_ROWS = 10_000;

/** Directions with less than this share of the largest variance are rounding: float32 leaves it of constants. */
const LEAST = 1e-10;

/** Default numbers of a piece on its way through the GPU. */
const PIECE = 2 ** 22;

/**
 * Whitening with shrinkage of features [n, D], in float64: with the eigenvalues S and eigenvectors V of their
 * covariance, y = (f − mean) V / √(S + α · mean S). Cosine similarity then counts directions alike, but for those that
 * hardly vary, instead of the few of most variance. The mean S is over min(n, D) directions; for n ≥ D this is the
 * target of Ledoit and Wolf (2004, A well-conditioned estimator for large-dimensional covariance matrices).
 *
 * Directions without variance are left out, so there are at most min(n − 1, D); see `explained` for more. Where n < D, the products of rows take
 * the place of the covariance. Evenly spread rows are taken of more than 10,000, and of more than `maxEigenvalues`
 * where D is above that too.
 *
 * @param features [n, D], n ≥ 2, as the model gives them: not scaled to length 1.
 * @throws {HatchlingError} When features are not finite, all rows are the same, or options out of range.
 *
 * @example
 * ```ts
 * import { fitWhitening } from "@hatchling/hatchling/eval";
 *
 * const features = { data: Float32Array.of(-9, 1, 9, 1, -9, -1, 9, -1), shape: [4, 2] };
 * const { components, variance } = fitWhitening(features, { explained: 1 });
 * console.log(components, variance); // [1, 0, 0, 1], [81, 1]
 * ```
 *
 * @category Evaluation
 */
export function fitWhitening(features: FeatureArray, options: WhitenOptions = {}): Whitening {
  const { alpha = ALPHA, explained, maxEigenvalues = 2048 } = options;
  checkOptions(alpha, explained, maxEigenvalues);
  const { rows: all, dim } = checkRows(features, "features");
  if (all < 2) {
    throw new HatchlingError("Expected the features of 2 or more pictures to whiten but found one");
  }
  const most = dim > maxEigenvalues ? Math.max(2, Math.min(MOST_ROWS, maxEigenvalues)) : MOST_ROWS;
  const rows = Math.min(all, most);
  const data = rows < all ? spread(features, rows) : features.data;
  const { mean, vectors, variance } = (rows < dim ? axesOfFewRows : axesOf)(data, rows, dim);
  const meanVariance = variance.reduce((a, b) => a + b, 0) / Math.min(rows, dim);
  const whole = variance.map((value) => value / (value + alpha * meanVariance));
  const kept = explained === undefined
    ? Math.max(
      countKept(variance, whole, SHARE),
      Math.min(DIRECTIONS, countKept(variance, whole, 1)),
    )
    : countKept(variance, whole, explained);
  if (!kept) {
    throw new HatchlingError(
      `Expected features that differ but those of all ${rows} pictures are the same: ` +
        "the model has collapsed, or the pictures are copies of one",
    );
  }
  const components = vectors.subarray(0, kept * dim);
  for (let k = 0; k < kept; k++) fixSign(components.subarray(k * dim, (k + 1) * dim));
  return {
    mean: Float32Array.from(mean),
    components: Float32Array.from(components),
    variance: Float32Array.from(variance.subarray(0, kept)),
    meanVariance,
    alpha,
    rows,
  };
}

/** Factor of each direction, [k]: 1 / √(variance + α · mean variance). */
export function whiteningScale({ variance, meanVariance, alpha }: Whitening): Float32Array {
  return variance.map((value) => 1 / Math.sqrt(value + alpha * meanVariance));
}

function checkOptions(alpha: number, explained: number | undefined, maxEigenvalues: number): void {
  if (!(alpha >= 0 && alpha < Infinity)) {
    throw new HatchlingError(`Expected a shrinkage alpha ≥ 0 for whitening but found ${alpha}`);
  }
  if (explained !== undefined && !(explained > 0 && explained <= 1)) {
    throw new HatchlingError(
      `Expected a share of the variance above 0 to 1 for whitening but found ${explained}`,
    );
  }
  if (!(maxEigenvalues >= 1)) {
    throw new HatchlingError(`Expected 1 or more eigenvalues but found ${maxEigenvalues} at most`);
  }
}

/** Evenly spread rows. */
function spread({ data, shape: [rows, dim] }: FeatureArray, count: number): Float32Array {
  const out = new Float32Array(count * dim);
  for (let i = 0; i < count; i++) {
    const start = Math.floor(i * rows / count) * dim;
    out.set(data.subarray(start, start + dim), i * dim);
  }
  return out;
}

/** How many directions hold a share of the whole, of those that are more than rounding. */
function countKept(variance: Float64Array, whole: Float64Array, share: number): number {
  const total = whole.reduce((sum, value) => sum + (value || 0), 0);
  let held = 0, count = 0;
  while (count < variance.length && variance[count] > LEAST * variance[0]) {
    held += whole[count++];
    if (share < 1 && held >= share * total) break;
  }
  return count;
}

/**
 * A whitening on a GPU. Destroy it when done.
 *
 * @category Evaluation
 */
export class Whitener implements Disposable {
  readonly #whitening: Whitening;
  readonly #directions: GpuRows;
  readonly #step: number;

  /**
   * Uploads the directions.
   *
   * @param piece Numbers that go through the GPU at a time. Default 4 Mi.
   * @throws {HatchlingError} When they are not finite.
   */
  constructor(gpu: Gpu, whitening: Whitening, piece = PIECE) {
    const { components, mean: { length: dim } } = this.#whitening = whitening;
    const scale = whiteningScale(whitening);
    const scaled = components.map((x, i) => x * scale[Math.floor(i / dim)]);
    this.#step = Math.max(1, Math.floor(piece / Math.max(dim, scale.length)));
    this.#directions = new GpuRows(
      gpu,
      { data: scaled, shape: [scale.length, dim] },
      this.#step,
    );
  }

  /**
   * Whitens features.
   *
   * @param features [n, D].
   * @returns [n, k], not scaled to length 1.
   * @throws {HatchlingError} When their D is another one, or they are not finite.
   */
  async apply(features: FeatureArray): Promise<FeatureArray> {
    const { mean, variance: { length: k } } = this.#whitening;
    const { rows, dim } = checkRows(features, "features");
    if (dim !== mean.length) {
      throw new HatchlingError(
        `Expected features [n, ${mean.length}] for this whitening but found D ${dim}: ` +
          "it was fitted to another feature or model",
      );
    }
    const out = new Float32Array(rows * k);
    for (let from = 0; from < rows; from += this.#step) {
      const part = features.data.slice(from * dim, (from + this.#step) * dim);
      for (let i = 0; i < part.length; i++) part[i] -= mean[i % dim];
      const count = part.length / dim;
      await this.#directions.times(part, (direction, values, at) => {
        for (let r = 0; r < count; r++) out[(from + r) * k + direction] = values[at + r];
      });
    }
    return { data: out, shape: [rows, k] };
  }

  /** Frees them. */
  destroy(): void {
    this.#directions.destroy();
  }

  /** Frees them at the end of a block that it is `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}
