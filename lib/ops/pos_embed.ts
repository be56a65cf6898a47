/**
 * Resampling of the position embedding to other image sizes.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import { matmul } from "./matmul.ts";
import { columnSum } from "./reduce.ts";
import { claim, type Weight } from "./weight.ts";

/** Multiply-adds of a product that takes less time than compiling a fast kernel for it. */
const SMALL = 2 ** 18;

/**
 * How a position embedding is resampled, always by cubic convolution:
 *
 * - `offset` samples with step grid / (n + 0.1), as facebookresearch/dino does, and DINOv2 without registers;
 * - `size` with step grid / n, as Hugging Face's models do;
 * - `antialias` with step grid / n and a kernel as wide as what it stands for where the grid shrinks, as timm does, and
 *   DINOv2 with registers;
 * - `offset_antialias` the same with step grid / (n + 0.1).
 */
export type PosInterp = "offset" | "size" | "antialias" | "offset_antialias";

/** Cubic convolution kernel (Keys 1981). */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/**
 * Bicubic weights [nOut, nIn], row-major, with half-pixel centres, as PyTorch's `interpolate`: without antialiasing of
 * a = −0.75, edge samples repeated; with it of a = −0.5, over the samples that there are.
 *
 * @example
 * ```ts
 * import { resampleMatrix } from "@hatchling/hatchling/ops";
 *
 * const weights = resampleMatrix(4, 2, "size"); // two rows of four weights
 * console.assert(Math.abs(weights[0] + weights[1] + weights[2] + weights[3] - 1) < 1e-12);
 * ```
 */
export function resampleMatrix(nIn: number, nOut: number, mode: PosInterp): Float64Array {
  const step = mode.startsWith("offset") ? nIn / (nOut + 0.1) : nIn / nOut;
  const weights = new Float64Array(nOut * nIn);
  for (let o = 0; o < nOut; o++) {
    const row = weights.subarray(o * nIn, (o + 1) * nIn);
    if (mode.endsWith("antialias")) smoothed(row, (o + 0.5) * step, Math.max(1, step));
    else sampled(row, (o + 0.5) * step - 0.5);
  }
  return weights;
}

/** The four samples around a place. */
function sampled(row: Float64Array, source: number): void {
  const base = Math.floor(source);
  for (let tap = base - 1; tap < base + 3; tap++) {
    row[Math.min(Math.max(tap, 0), row.length - 1)] += cubic(source - tap, -0.75);
  }
}

/** All samples under a kernel that is `wide` times as wide; `center` counts from the first sample's edge. */
function smoothed(row: Float64Array, center: number, wide: number): void {
  const first = Math.max(0, Math.floor(center - 2 * wide + 0.5));
  const end = Math.min(row.length, Math.floor(center + 2 * wide + 0.5));
  let sum = 0;
  for (let tap = first; tap < end; tap++) {
    sum += row[tap] = cubic((tap + 0.5 - center) / wide, -0.5);
  }
  for (let tap = first; tap < end; tap++) row[tap] /= sum;
}

/**
 * The position embedding of a rows × cols grid: pos [1, 1 + grid², D] → [1, 1 + rows·cols, D], the class
 * entry kept. One product with a fixed matrix, the Kronecker product of the two axes' weights.
 *
 * @param classes Entries before the grid's: 1, or 0 where there is no class token.
 * @returns `backward(dy)` adds to the gradient of `pos`.
 * @throws {HatchlingError} When `pos` does not hold a square grid.
 */
export function posEmbed(
  gpu: Gpu,
  pos: Weight,
  rows: number,
  cols: number,
  mode: PosInterp = "offset",
  classes: 0 | 1 = 1,
): { y: Tensor; backward(dy: Tensor): void } {
  const dim = pos.data.shape.at(-1)!;
  const from = pos.data.size / dim;
  const grid = Math.round(Math.sqrt(from - classes));
  if (grid * grid !== from - classes || grid === 0) {
    throw new HatchlingError(
      `posEmbed: expected ${classes ? "1 + " : ""}grid² positions but found ${pos.data}`,
    );
  }
  const table = pos.data.view([from, dim]);
  if (rows === grid && cols === grid) {
    return {
      y: pos.data,
      backward(dy) {
        const into = claim(pos);
        if (into) columnSum(gpu, dy.view([1, dy.size]), into);
      },
    };
  }
  const to = classes + rows * cols;
  const weights = kronecker(grid, rows, cols, mode, classes);
  const matrix = gpu.tensor(weights, [to, from], "pos_embed.weights");
  const variant = to * from * dim <= SMALL ? "naive" : undefined;
  return {
    y: matmul(gpu, matrix, table, { variant }).view([1, to, dim]),
    backward(dy) {
      const into = claim(pos);
      if (!into) return;
      const { accumulate } = into;
      const out = into.out.view([from, dim]);
      matmul(gpu, matrix, dy.view([to, dim]), { transA: true, out, accumulate, variant });
    },
  };
}

function kronecker(
  grid: number,
  rows: number,
  cols: number,
  mode: PosInterp,
  classes: 0 | 1,
): Float32Array {
  const [y, x] = [resampleMatrix(grid, rows, mode), resampleMatrix(grid, cols, mode)];
  const from = classes + grid * grid;
  const m = new Float32Array((classes + rows * cols) * from);
  if (classes) m[0] = 1;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      for (let i = 0; i < grid; i++) {
        for (let j = 0; j < grid; j++) {
          m[(classes + r * cols + c) * from + classes + i * grid + j] = y[r * grid + i] *
            x[c * grid + j];
        }
      }
    }
  }
  return m;
}
