/**
 * Layer norm.
 *
 * @module
 */
import code from "../../kernels/layer_norm.wgsl" with { type: "text" };
import backwardCode from "../../kernels/layer_norm_backward.wgsl" with { type: "text" };
import gradCode from "../../kernels/layer_norm_weight_grad.wgsl" with { type: "text" };
import subgroupCode from "../../kernels/layer_norm_subgroup.wgsl" with { type: "text" };
import fusedCode from "../../kernels/layer_norm_grad_subgroup.wgsl" with { type: "text" };
import { defineKernel, type Gpu, type Tensor } from "../gpu.ts";
import { columnLaunch, columnSum } from "./reduce.ts";
import { HELD_ROWS, heldLaunch, rowLaunch } from "./row_launch.ts";
import { claim, type Weight } from "./weight.ts";
import { LANE_SUM } from "./wgsl_parts.ts";

const LAYER_NORM = defineKernel("layer_norm", code);
const LAYER_NORM_BACKWARD = defineKernel("layer_norm_backward", backwardCode);
const LAYER_NORM_WEIGHT_GRAD = defineKernel("layer_norm_weight_grad", gradCode);
const HELD_ROW = { shared: [LANE_SUM], subgroups: true };
const LAYER_NORM_SUBGROUP = defineKernel("layer_norm_subgroup", subgroupCode, HELD_ROW);
const LAYER_NORM_GRAD_SUBGROUP = defineKernel("layer_norm_grad_subgroup", fusedCode, HELD_ROW);

/** What {@linkcode layerNorm} returns. */
export interface LayerNormResult {
  /** [R, D]. */
  y: Tensor;
  /** Fills the gradients of weight and bias; returns dx, plus `residual` (a gradient that bypassed the norm). */
  backward(dy: Tensor, residual?: Tensor): Tensor;
}

/** Layer norm over the last dimension of x [R, D] (Ba et al. 2016); ViTs use eps 1e-6. */
export function layerNorm(
  gpu: Gpu,
  x: Tensor,
  weight: Weight,
  bias: Weight,
  eps = 1e-6,
): LayerNormResult {
  const dim = x.shape.at(-1)!;
  const rows = x.size / dim;
  const y = gpu.empty(x.shape, "layer_norm");
  const stats = gpu.empty([rows, 2], "layer_norm.stats");
  const held = heldLaunch(gpu, rows, dim);
  gpu.dispatch(held ? LAYER_NORM_SUBGROUP : LAYER_NORM, {
    ...(held ?? rowLaunch(gpu, rows, dim)),
    bindings: { x, weight: weight.data, bias: bias.data, y, stats },
    params: { rows, dim, eps },
    flops: 8 * x.size,
  });
  return {
    y,
    backward(dy, residual) {
      const dx = gpu.empty(x.shape, "layer_norm.grad");
      const grads = [claim(weight), claim(bias)] as const;
      const args = { x, stats, weight: weight.data, dy, residual, dx };
      if (held) backwardHeld(gpu, args, grads, held);
      else backwardInTurn(gpu, args, grads);
      return dx;
    },
  };
}

/** What a backward pass reads, and dx, which it writes. */
interface BackwardArgs {
  x: Tensor;
  stats: Tensor;
  weight: Tensor;
  dy: Tensor;
  residual?: Tensor;
  dx: Tensor;
}

/** Where the gradients of weight and bias go. */
type Targets = readonly [ReturnType<typeof claim>, ReturnType<typeof claim>];

/** One pass over the rows, then sums of what it left of the weights. */
function backwardHeld(
  gpu: Gpu,
  { x, stats, weight, dy, residual, dx }: BackwardArgs,
  grads: Targets,
  { constants, workgroups }: NonNullable<ReturnType<typeof heldLaunch>>,
): void {
  const dim = weight.size, rows = x.size / dim;
  const weights = grads.some((grad) => grad);
  const [dw, db] = grads.map(() =>
    weights ? gpu.empty([Math.ceil(rows / HELD_ROWS), dim], "layer_norm.partial") : undefined
  );
  gpu.dispatch(LAYER_NORM_GRAD_SUBGROUP, {
    constants: { ...constants, RESIDUAL: !!residual, WEIGHTS: weights },
    bindings: { x, stats, weight, dy, residual, dx, dw, db },
    params: { rows, dim },
    workgroups,
    flops: (weights ? 17 : 12) * x.size,
  });
  grads.forEach((grad, i) => grad && columnSum(gpu, [dw, db][i]!, grad));
}

/** Gradients of the weights, then that of the input. */
function backwardInTurn(
  gpu: Gpu,
  { x, stats, weight, dy, residual, dx }: BackwardArgs,
  grads: Targets,
): void {
  const dim = weight.size, rows = x.size / dim;
  if (grads.some((grad) => grad)) {
    const { chunk, chunks, ...how } = columnLaunch(gpu, rows, dim, dim % 4 === 0);
    const last = chunks === 1;
    const [dw, db] = grads.map((grad) =>
      last && grad ? grad.out : gpu.empty([chunks, dim], "layer_norm.partial")
    );
    const [addW, addB] = grads.map((grad) => last && grad?.accumulate);
    gpu.dispatch(LAYER_NORM_WEIGHT_GRAD, {
      ...how,
      bindings: { x, stats, dy, dw, db },
      params: { rows, dim, chunk, accumulate: (addW ? 1 : 0) + (addB ? 2 : 0) },
      flops: 5 * x.size,
    });
    if (!last) grads.forEach((grad, i) => grad && columnSum(gpu, [dw, db][i], grad));
  }
  const { constants, workgroups } = rowLaunch(gpu, rows, dim);
  gpu.dispatch(LAYER_NORM_BACKWARD, {
    constants: { ...constants, RESIDUAL: !!residual },
    bindings: { x, stats, weight, dy, residual, dx },
    params: { rows, dim },
    workgroups,
    flops: 12 * x.size,
  });
}
