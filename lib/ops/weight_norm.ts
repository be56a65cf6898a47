/**
 * Linear layer with weight normalisation and no bias: the last layer of the DINO head.
 *
 * @module
 */
import code from "../../kernels/weight_norm.wgsl" with { type: "text" };
import backwardCode from "../../kernels/weight_norm_backward.wgsl" with { type: "text" };
import { defineKernel, type Gpu, type Tensor } from "../gpu/mod.ts";
import { matmul } from "./matmul.ts";
import { rowLaunch } from "./row_launch.ts";
import { claim, type Weight } from "./weight.ts";

const WEIGHT_NORM = defineKernel("weight_norm", code);
const WEIGHT_NORM_BACKWARD = defineKernel("weight_norm_backward", backwardCode);

/**
 * y = x · Wᵀ with W = g · v / ‖v‖ per output (Salimans and Kingma 2016, arXiv:1602.07868).
 *
 * @param x [R, D].
 * @param v [K, D], the directions.
 * @param g [K, 1], the lengths; without `grad` they stay fixed.
 * @returns y [R, K], and `backward(dy)` which fills the gradient of v (and g's with it) and returns dx [R, D].
 */
export function weightNormLinear(
  gpu: Gpu,
  x: Tensor,
  v: Weight,
  g: Weight,
): { y: Tensor; backward(dy: Tensor): Tensor } {
  const [rows, dim] = v.data.shape;
  const w = gpu.empty([rows, dim], "weight_norm");
  const norms = gpu.empty([rows], "weight_norm.norms");
  const launch = { ...rowLaunch(gpu, rows, dim), u32: [rows, dim] };
  gpu.dispatch(WEIGHT_NORM, { ...launch, tensors: [v.data, g.data, w, norms], flops: 3 * w.size });
  const y = matmul(gpu, x, w, { transB: true });
  return {
    y,
    backward(dy) {
      const dv = claim(v);
      if (dv) {
        const dw = matmul(gpu, dy, x, { transA: true });
        const dg = claim(g);
        gpu.dispatch(WEIGHT_NORM_BACKWARD, {
          ...launch,
          constants: {
            ...launch.constants,
            ACCUMULATE_V: dv.accumulate,
            ACCUMULATE_G: dg?.accumulate ?? false,
            WEIGHT_G: !!dg,
          },
          tensors: [v.data, g.data, norms, dw, dv.out, dg?.out ?? gpu.dummy()],
          flops: 6 * w.size,
        });
      }
      return matmul(gpu, dy, w);
    },
  };
}
