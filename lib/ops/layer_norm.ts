/**
 * Layer norm.
 *
 * @module
 */
import code from "../../kernels/layer_norm.wgsl" with { type: "text" };
import backwardCode from "../../kernels/layer_norm_backward.wgsl" with { type: "text" };
import gradCode from "../../kernels/layer_norm_weight_grad.wgsl" with { type: "text" };
import { defineKernel, type Gpu, type Tensor } from "../gpu/mod.ts";
import { columnLaunch, columnSum } from "./reduce.ts";
import { rowLaunch } from "./row_launch.ts";
import { claim, type Weight } from "./weight.ts";

const LAYER_NORM = defineKernel("layer_norm", code);
const LAYER_NORM_BACKWARD = defineKernel("layer_norm_backward", backwardCode);
const LAYER_NORM_WEIGHT_GRAD = defineKernel("layer_norm_weight_grad", gradCode);

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
  const launch = rowLaunch(gpu, rows, dim);
  gpu.dispatch(LAYER_NORM, {
    ...launch,
    tensors: [x, weight.data, bias.data, y, stats],
    u32: [rows, dim],
    f32: [eps],
    flops: 8 * x.size,
  });
  return {
    y,
    backward(dy, residual) {
      const dw = claim(weight);
      const db = claim(bias);
      if (dw || db) {
        const { chunk, chunks, ...how } = columnLaunch(gpu, rows, dim, dim % 4 === 0);
        const last = chunks === 1;
        const [toW, toB] = [dw, db].map((d, i) =>
          last && d ? d.out : gpu.empty([chunks, dim], `layer_norm.partial.${i}`)
        );
        gpu.dispatch(LAYER_NORM_WEIGHT_GRAD, {
          ...how,
          tensors: [x, stats, dy, toW, toB],
          u32: [rows, dim, chunk, last ? +!!dw?.accumulate + 2 * +!!db?.accumulate : 0],
          flops: 5 * x.size,
        });
        if (dw && !last) columnSum(gpu, toW, dw);
        if (db && !last) columnSum(gpu, toB, db);
      }
      const dx = gpu.empty(x.shape, "layer_norm.grad");
      gpu.dispatch(LAYER_NORM_BACKWARD, {
        ...launch,
        constants: { ...launch.constants, RESIDUAL: !!residual },
        tensors: [x, stats, weight.data, dy, residual ?? dy, dx],
        u32: [rows, dim],
        flops: 12 * x.size,
      });
      return dx;
    },
  };
}
