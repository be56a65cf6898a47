/**
 * LayerScale: a learned factor for every column of what a branch adds.
 *
 * @module
 */
import code from "../../kernels/layer_scale.wgsl" with { type: "text" };
import gradCode from "../../kernels/layer_scale_grad.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, type Tensor } from "../gpu.ts";
import { columnLaunch, columnSum } from "./reduce.ts";
import { moveLaunch } from "./row_launch.ts";
import { claim, type Weight } from "./weight.ts";
import { PUT, WALK_ROWS } from "./wgsl_parts.ts";

const LAYER_SCALE = defineKernel("layer_scale", code, { shared: [PUT, WALK_ROWS] });
const LAYER_SCALE_GRAD = defineKernel("layer_scale_grad", gradCode);

/**
 * y = h · γ [+ residual], a factor for every column (Touvron et al. 2021, arXiv:2103.17239).
 *
 * @param h [R, D], leading dimensions flattened.
 * @param gamma [D].
 * @param residual [R, D], added.
 * @throws {HatchlingError} When the sizes do not fit.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { layerScale } from "@hatchling/hatchling/ops";
 *
 * const gpu = await openGpu();
 * const h = gpu.tensor(Float32Array.of(1, 2, 3, 4), [2, 2]);
 * const gamma = { data: gpu.tensor(Float32Array.of(10, 0.5)) };
 * console.log(await layerScale(gpu, h, gamma).read()); // 10, 1, 30, 2
 * gpu.destroy();
 * ```
 */
export function layerScale(gpu: Gpu, h: Tensor, gamma: Weight, residual?: Tensor): Tensor {
  const dim = h.shape.at(-1)!;
  if (gamma.data.size !== dim || residual && residual.size !== h.size) {
    throw new HatchlingError(
      `layerScale: expected ${dim} factors and a residual like ${h} but found ${gamma.data} and ${
        residual ?? "none"
      }`,
    );
  }
  const rows = h.size / dim;
  const out = gpu.empty(h.shape, "layer_scale", residual?.dtype ?? h.dtype);
  const { constants, width, workgroups } = moveLaunch(rows, dim);
  gpu.dispatch(LAYER_SCALE, {
    constants: { ...constants, ADD: !!residual },
    bindings: { x: residual, h, gamma: gamma.data, out },
    params: { rows, width },
    workgroups,
    flops: (residual ? 2 : 1) * h.size,
  });
  return out;
}

/**
 * The backward pass of {@linkcode layerScale}: dγ = Σ rows of h · dy goes to its weight.
 *
 * @returns dh = dy · γ; the residual's gradient is dy itself.
 */
export function layerScaleBackward(gpu: Gpu, h: Tensor, gamma: Weight, dy: Tensor): Tensor {
  const into = claim(gamma);
  if (into) {
    const cols = h.shape.at(-1)!, rows = h.size / cols;
    const { chunk, chunks, ...how } = columnLaunch(gpu, rows, cols, cols % 4 === 0);
    const last = chunks === 1;
    const out = last ? into.out : gpu.empty([chunks, cols], "layer_scale.partial");
    gpu.dispatch(LAYER_SCALE_GRAD, {
      ...how,
      bindings: { h, dy, out },
      params: { rows, cols, chunk, accumulate: +(last && into.accumulate) },
      flops: 2 * h.size,
    });
    if (!last) columnSum(gpu, out, into);
  }
  return layerScale(gpu, dy, gamma);
}
