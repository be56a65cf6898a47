/**
 * Features to be compared: rows of float32, on the GPU or not.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { Tensor } from "../gpu.ts";

/** Row-major features [n, D] in memory. */
export interface FeatureArray {
  /** n · D values. */
  data: Float32Array;
  /** [n, D]. */
  shape: readonly number[];
}

/**
 * Features [n, D], as an array or already on the GPU.
 *
 * @category Evaluation
 */
export type Features = FeatureArray | Tensor;

/** Smallest norm that {@linkcode l2Normalize} divides by, as in PyTorch. */
const MIN_NORM = 1e-12;

/**
 * Rows scaled to length 1, so that a dot product is the cosine similarity; norms in float64. A row of
 * zeros stays zero.
 *
 * @param data n · D values.
 * @param dim D.
 * @returns a new array.
 * @throws {HatchlingError} when `data` is no whole number of rows or holds NaN or infinity.
 */
export function l2Normalize(data: Float32Array, dim: number): Float32Array<ArrayBuffer> {
  checkRows({ data, shape: [data.length / dim, dim] }, "features");
  const out = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += dim) {
    let sum = 0;
    for (let i = start; i < start + dim; i++) sum += data[i] * data[i];
    const scale = 1 / Math.max(Math.sqrt(sum), MIN_NORM);
    for (let i = start; i < start + dim; i++) out[i] = data[i] * scale;
  }
  return out;
}

/**
 * Checks features and gives their sizes.
 *
 * @param what how messages call them.
 * @throws {HatchlingError} when they are not [n ≥ 1, D ≥ 1], or hold NaN or infinity (arrays only; what is
 * on the GPU is not read back).
 */
export function checkRows(features: Features, what: string): { rows: number; dim: number } {
  const [rows, dim] = features.shape;
  const whole = features.shape.length === 2 &&
    [rows, dim].every((n) => Number.isInteger(n) && n > 0);
  if (!whole) {
    throw new HatchlingError(
      `Expected ${what} of shape [n ≥ 1, D ≥ 1] but found [${features.shape.join(", ")}]`,
    );
  }
  if (features instanceof Tensor) return { rows, dim };
  if (features.data.length !== rows * dim) {
    throw new HatchlingError(
      `Expected ${
        rows * dim
      } values for ${what} [${rows}, ${dim}] but found ${features.data.length}`,
    );
  }
  const { data } = features;
  let at = 0;
  while (at < data.length && Number.isFinite(data[at])) at++; // findIndex() takes several times as long
  if (at < data.length) {
    throw new HatchlingError(
      `Expected finite ${what} but found ${data[at]} in row ${Math.floor(at / dim)}: ` +
        "the model that made them has diverged, or a file is damaged",
    );
  }
  return { rows, dim };
}

/** Some rows, in the order given. */
export function takeRows(
  { data, shape: [, dim] }: FeatureArray,
  rows: ArrayLike<number>,
): FeatureArray {
  const out = new Float32Array(rows.length * dim);
  for (let i = 0; i < rows.length; i++) {
    out.set(data.subarray(rows[i] * dim, (rows[i] + 1) * dim), i * dim);
  }
  return { data: out, shape: [rows.length, dim] };
}
