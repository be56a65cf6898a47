/**
 * How features lie on the sphere (Wang and Isola 2020, arXiv:2005.10242): measures that need no labels.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import { checkRows, type FeatureArray } from "./features.ts";
import { GpuRows } from "./rows.ts";

/** Most rows of which all pairs are looked at, 2 million: of more, evenly spread ones. */
const MOST_ROWS = 2048;

/** Rows that meet all others at a time. */
const COLUMNS = 1024;

/**
 * Alignment: the mean squared distance between the features of a picture and of a view of it. 0 where views
 * change nothing, 2 where they have nothing in common.
 *
 * @param a [n, D], L2-normalised.
 * @param b [n, D], L2-normalised; row i shows what row i of `a` shows.
 * @throws {HatchlingError} When sizes differ or features are not finite.
 *
 * @example
 * ```ts
 * import { alignment } from "@hatchling/hatchling/eval";
 *
 * const right = { data: Float32Array.of(1, 0), shape: [1, 2] };
 * console.assert(alignment(right, { data: Float32Array.of(0, 1), shape: [1, 2] }) === 2);
 * ```
 */
export function alignment(a: FeatureArray, b: FeatureArray): number {
  const { rows, dim } = checkRows(a, "features");
  const other = checkRows(b, "views");
  if (other.rows !== rows || other.dim !== dim) {
    throw new HatchlingError(`Expected a view of each of [${a.shape}] but found [${b.shape}]`);
  }
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i] - b.data[i]) ** 2;
  return sum / rows;
}

/**
 * Uniformity: log of the mean of exp(−2 ‖x − y‖²) over all pairs of different rows. 0 where all features are one,
 * about −4 where they fill the sphere of many dimensions evenly. At most 2,048 rows are used, evenly spread.
 *
 * @param features [n ≥ 2, D], L2-normalised.
 * @throws {HatchlingError} When there are fewer than two rows or features are not finite.
 *
 * @example
 * ```ts
 * import { uniformity } from "@hatchling/hatchling/eval";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * console.assert(await uniformity(gpu, { data: Float32Array.of(1, 0, 1, 0), shape: [2, 2] }) === 0);
 * gpu.destroy();
 * ```
 */
export async function uniformity(gpu: Gpu, features: FeatureArray): Promise<number> {
  const { rows, dim } = checkRows(features, "features");
  if (rows < 2) throw new HatchlingError(`Expected two or more rows but found ${rows}`);
  const count = Math.min(rows, MOST_ROWS);
  const data = new Float32Array(count * dim);
  for (let i = 0; i < count; i++) {
    const start = Math.floor(i * rows / count) * dim;
    data.set(features.data.subarray(start, start + dim), i * dim);
  }
  const onGpu = new GpuRows(gpu, { data, shape: [count, dim] }, COLUMNS);
  let sum = 0;
  try {
    for (let first = 0; first < count; first += COLUMNS) {
      const columns = Math.min(COLUMNS, count - first);
      const part = data.subarray(first * dim, (first + columns) * dim);
      await onGpu.times(part, (row, dots, at) => {
        const before = Math.min(columns, row - first); // each pair once
        for (let c = 0; c < before; c++) sum += Math.exp(4 * (dots[at + c] - 1));
      });
    }
  } finally {
    onGpu.destroy();
  }
  return Math.log(sum / (count * (count - 1) / 2));
}
