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

/** "offset" samples with step grid / (n + 0.1), as facebookresearch/dino does; "size" with grid / n. */
export type PosInterp = "offset" | "size";

/** Cubic convolution kernel with a = −0.75 (Keys 1981). */
function cubic(distance: number): number {
  const a = -0.75;
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/**
 * Bicubic weights [nOut, nIn], row-major: half-pixel centres, edge samples repeated, no antialiasing.
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
  const step = mode === "offset" ? nIn / (nOut + 0.1) : nIn / nOut;
  const weights = new Float64Array(nOut * nIn);
  for (let o = 0; o < nOut; o++) {
    const source = (o + 0.5) * step - 0.5;
    const base = Math.floor(source);
    for (let tap = base - 1; tap < base + 3; tap++) {
      weights[o * nIn + Math.min(Math.max(tap, 0), nIn - 1)] += cubic(source - tap);
    }
  }
  return weights;
}

/**
 * The position embedding of a rows × cols grid: pos [1, 1 + grid², D] → [1, 1 + rows·cols, D], the class
 * entry kept. One product with a fixed matrix, the Kronecker product of the two axes' weights.
 *
 * @returns `backward(dy)` adds to the gradient of `pos`.
 * @throws {HatchlingError} When `pos` does not hold a square grid.
 */
export function posEmbed(
  gpu: Gpu,
  pos: Weight,
  rows: number,
  cols: number,
  mode: PosInterp = "offset",
): { y: Tensor; backward(dy: Tensor): void } {
  const dim = pos.data.shape.at(-1)!;
  const from = pos.data.size / dim;
  const grid = Math.round(Math.sqrt(from - 1));
  if (grid * grid !== from - 1) {
    throw new HatchlingError(`posEmbed: expected 1 + grid² positions but found ${pos.data}`);
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
  const to = 1 + rows * cols;
  const weights = kronecker(grid, rows, cols, mode);
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

function kronecker(grid: number, rows: number, cols: number, mode: PosInterp): Float32Array {
  const [y, x] = [resampleMatrix(grid, rows, mode), resampleMatrix(grid, cols, mode)];
  const from = 1 + grid * grid;
  const m = new Float32Array((1 + rows * cols) * from);
  m[0] = 1;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      for (let i = 0; i < grid; i++) {
        for (let j = 0; j < grid; j++) {
          m[(1 + r * cols + c) * from + 1 + i * grid + j] = y[r * grid + i] * x[c * grid + j];
        }
      }
    }
  }
  return m;
}
