/**
 * Layer norm.
 *
 * @module
 */
import code from "../../kernels/layer_norm.wgsl" with { type: "text" };
import backwardCode from "../../kernels/layer_norm_backward.wgsl" with { type: "text" };
import gradCode from "../../kernels/layer_norm_weight_grad.wgsl" with { type: "text" };
import heldCode from "../../kernels/layer_norm_held.wgsl" with { type: "text" };
import heldGradCode from "../../kernels/layer_norm_grad_held.wgsl" with { type: "text" };
import subgroupCode from "../../kernels/layer_norm_subgroup.wgsl" with { type: "text" };
import fusedCode from "../../kernels/layer_norm_grad_subgroup.wgsl" with { type: "text" };
import { defineKernel, type DType, type Gpu, type Tensor } from "../gpu.ts";
import { columnLaunch, columnSum, columnSums } from "./reduce.ts";
import { heldLaunch, heldRowLaunch, rowLaunch, ROWS_AT_ONCE } from "./row_launch.ts";
import { claim, type Weight } from "./weight.ts";
import { HELD_ROWS, LANE_SUM } from "./wgsl_parts.ts";

const LAYER_NORM = defineKernel("layer_norm", code);
const LAYER_NORM_BACKWARD = defineKernel("layer_norm_backward", backwardCode);
const LAYER_NORM_WEIGHT_GRAD = defineKernel("layer_norm_weight_grad", gradCode);
const LAYER_NORM_HELD = defineKernel("layer_norm_held", heldCode, { shared: [HELD_ROWS] });
const LAYER_NORM_GRAD_HELD = defineKernel("layer_norm_grad_held", heldGradCode, {
  shared: [HELD_ROWS],
});
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

/**
 * Layer norm over the last dimension of x [R, D] (Ba et al. 2016); ViTs use eps 1e-6.
 *
 * @param dtype What y holds; by default what x does. Statistics and gradients are f32 in any case.
 */
export function layerNorm(
  gpu: Gpu,
  x: Tensor,
  weight: Weight,
  bias: Weight,
  eps = 1e-6,
  dtype: DType = x.dtype,
): LayerNormResult {
  const dim = x.shape.at(-1)!;
  const rows = x.size / dim;
  const y = gpu.empty(x.shape, "layer_norm", dtype);
  const stats = gpu.empty([rows, 2], "layer_norm.stats");
  const [kernel, how] = forwardLaunch(gpu, rows, dim);
  const constants = { ...how.constants, HALVES: x.dtype === "f16" };
  gpu.dispatch(kernel, {
    ...{ ...how, constants },
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
      if (kernel === LAYER_NORM) backwardInTurn(gpu, args, grads);
      else backwardHeld(gpu, args, grads);
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

/** The kernel that suits the adapter and the rows, and its launch. */
function forwardLaunch(gpu: Gpu, rows: number, dim: number) {
  const software = heldLaunch(gpu, rows, dim), held = heldRowLaunch(gpu, rows, dim);
  if (software) return [LAYER_NORM_SUBGROUP, software] as const;
  if (held) return [LAYER_NORM_HELD, held] as const;
  return [LAYER_NORM, rowLaunch(gpu, rows, dim)] as const;
}

/** Rows that make one sum of the weights' gradients on a GPU: fewer where there would be few workgroups. */
function chunkOf(rows: number): number {
  return rows < 8192 ? 8 : 32;
}

/** One pass over the rows, then sums of what it left of the weights. */
function backwardHeld(
  gpu: Gpu,
  { x, stats, weight, dy, residual, dx }: BackwardArgs,
  grads: Targets,
): void {
  const dim = weight.size, rows = x.size / dim;
  const software = heldLaunch(gpu, rows, dim);
  const chunk = software ? ROWS_AT_ONCE : chunkOf(rows);
  const parts = Math.ceil(rows / chunk);
  const { constants, workgroups } = software ?? heldRowLaunch(gpu, parts, dim)!;
  const weights = grads.some((grad) => grad);
  const [dw, db] = grads.map(() =>
    weights ? gpu.empty([parts, dim], "layer_norm.partial") : undefined
  );
  gpu.dispatch(software ? LAYER_NORM_GRAD_SUBGROUP : LAYER_NORM_GRAD_HELD, {
    constants: { ...constants, RESIDUAL: !!residual, WEIGHTS: weights },
    bindings: { x, stats, weight, dy, residual, dx, dw, db },
    params: software ? { rows, dim } : { rows, dim, chunk },
    workgroups,
    flops: (weights ? 17 : 12) * x.size,
  });
  if (weights) sumParts(gpu, [dw!, db!], grads);
}

/** What is left of the weights' gradients, of those that are wanted. */
function sumParts(gpu: Gpu, parts: readonly [Tensor, Tensor], grads: Targets): void {
  const [w, b] = grads;
  if (w && b) columnSums(gpu, parts, [w, b]);
  else grads.forEach((grad, i) => grad && columnSum(gpu, parts[i], grad));
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
    if (!last) sumParts(gpu, [dw, db], grads);
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
