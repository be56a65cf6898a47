/**
 * Rows of a matrix by an index on the GPU: which ones may change from step to step, how many may not.
 *
 * @module
 */
import code from "../../kernels/gather_rows.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, type Tensor } from "../gpu.ts";
import { moveLaunch } from "./row_launch.ts";
import { PUT, SOURCE } from "./wgsl_parts.ts";

const GATHER_ROWS = defineKernel("gather_rows", code, { shared: [PUT, SOURCE] });

/** In an index: no row. What fills an index up to the length that a recorded program has for it. */
export const NO_ROW = 0xffffffff;

/**
 * y [M, D] = the rows of x that `index` names, zeros where it names none.
 *
 * @param x [R, D], leading dimensions flattened: [B, N, D] counts as [B·N, D].
 * @param index [M], u32: rows of x, or {@linkcode NO_ROW}.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { gatherRows, NO_ROW } from "@hatchling/hatchling/ops";
 *
 * const gpu = await openGpu();
 * const x = gpu.tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);
 * const index = gpu.tensor(Uint32Array.of(2, NO_ROW), [2]);
 * console.log(await gatherRows(gpu, x, index).read()); // 5, 6, 0, 0
 * gpu.destroy();
 * ```
 */
export function gatherRows(gpu: Gpu, x: Tensor, index: Tensor): Tensor {
  const y = gpu.empty([index.size, x.shape.at(-1)!], "gather_rows", x.dtype);
  move(gpu, x, index, y, false);
  return y;
}

/**
 * The adjoint of {@linkcode gatherRows}: adds row m of dy to the row of dx that `index[m]` names.
 *
 * @param dy [M, D].
 * @param index [M], u32: rows of dx, none of them twice, or {@linkcode NO_ROW}.
 * @param dx [R, D], leading dimensions flattened; it must hold something already.
 * @throws {HatchlingError} When the sizes do not fit.
 */
export function scatterRows(gpu: Gpu, dy: Tensor, index: Tensor, dx: Tensor): void {
  const dim = dx.shape.at(-1)!;
  if (dy.size !== index.size * dim) {
    throw new HatchlingError(
      `scatterRows: expected ${index.size} rows of ${dim} numbers, as ${index} and ${dx} say, but found ${dy}`,
    );
  }
  move(gpu, dy, index, dx, true);
}

function move(gpu: Gpu, src: Tensor, index: Tensor, out: Tensor, scatter: boolean): void {
  const dim = out.shape.at(-1)!;
  const { constants, width, workgroups } = moveLaunch(index.size, dim);
  const large = scatter ? out : src;
  gpu.dispatch(GATHER_ROWS, {
    constants: { ...constants, SCATTER: scatter },
    bindings: { src, index, out },
    params: { rows: index.size, width, limit: large.size / dim },
    workgroups,
    flops: scatter ? index.size * dim : 0,
  });
}
