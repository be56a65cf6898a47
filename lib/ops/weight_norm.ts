/**
 * Linear layer with weight normalisation and no bias: the last layer of the DINO head.
 *
 * @module
 */
import code from "../../kernels/weight_norm.wgsl" with { type: "text" };
import backwardCode from "../../kernels/weight_norm_backward.wgsl" with { type: "text" };
import { defineKernel, type Gpu, type Tensor } from "../gpu.ts";
import { matmul } from "./matmul.ts";
import { rowLaunch } from "./row_launch.ts";
import { claim, type Weight } from "./weight.ts";
import { LANES, PUT, WEIGHT_V } from "./wgsl_parts.ts";

const WEIGHT_NORM = defineKernel("weight_norm", code, { shared: [LANES, WEIGHT_V] });
const WEIGHT_NORM_BACKWARD = defineKernel("weight_norm_backward", backwardCode, {
  shared: [PUT, WEIGHT_V],
});

/** A normalised weight, and what its backward pass needs of it. */
export interface NormalizedWeight {
  /** W = g · v / ‖v‖, [K, D]. */
  w: Tensor;
  /** ‖v‖, [K]. */
  norms: Tensor;
}

/** W = g · v / ‖v‖ per row of v [K, D], g [K, 1], into `room` if given. */
export function weightNorm(
  gpu: Gpu,
  v: Tensor,
  g: Tensor,
  room: NormalizedWeight = {
    w: gpu.empty(v.shape, "weight_norm"),
    norms: gpu.empty([v.shape[0]], "weight_norm.norms"),
  },
): NormalizedWeight {
  const [rows, dim] = v.shape;
  const { constants, workgroups } = rowLaunch(gpu, rows, dim);
  gpu.dispatch(WEIGHT_NORM, {
    constants: { ...constants, VEC: dim % 4 === 0 },
    bindings: { v, g, w: room.w, norms: room.norms },
    params: { rows, dim },
    workgroups,
    flops: 3 * v.size,
  });
  return room;
}

/** Where a gradient goes, and whether it is added to what is there. */
type Target = NonNullable<ReturnType<typeof claim>>;

/** Gradients of v and, with `dg`, of g, from that of W [K, D]. */
export function weightNormBackward(
  gpu: Gpu,
  { v, g, norms }: { v: Tensor; g: Tensor; norms: Tensor },
  dw: Tensor,
  dv: Target,
  dg?: Target,
): void {
  const [rows, dim] = v.shape;
  const { constants, workgroups } = rowLaunch(gpu, rows, dim);
  gpu.dispatch(WEIGHT_NORM_BACKWARD, {
    constants: {
      ...constants,
      VEC: dim % 4 === 0,
      ACCUMULATE_V: dv.accumulate,
      ACCUMULATE_G: dg?.accumulate ?? false,
      WEIGHT_G: !!dg,
    },
    bindings: { v, g, norms, dw, out: dv.out, dg: dg?.out },
    params: { rows, dim },
    workgroups,
    flops: 6 * v.size,
  });
}

/**
 * y = x · Wᵀ with W = g · v / ‖v‖ per output (Salimans and Kingma 2016, arXiv:1602.07868).
 *
 * @param x [R, D].
 * @param v [K, D], the directions.
 * @param g [K, 1], the lengths; without `grad` they stay fixed.
 * @returns y [R, K], and `backward(dy)` which fills those of v and g that have one and returns dx [R, D].
 */
export function weightNormLinear(
  gpu: Gpu,
  x: Tensor,
  v: Weight,
  g: Weight,
): { y: Tensor; backward(dy: Tensor): Tensor } {
  const { w, norms } = weightNorm(gpu, v.data, g.data);
  const y = matmul(gpu, x, w, { transB: true });
  return {
    y,
    backward(dy) {
      const [dv, dg] = [claim(v), claim(g)];
      if (dv || dg) {
        const dw = matmul(gpu, dy, x, { transA: true });
        const unused = () => ({ out: gpu.empty(v.data.shape, "weight_v.grad"), accumulate: false });
        weightNormBackward(gpu, { v: v.data, g: g.data, norms }, dw, dv ?? unused(), dg);
      }
      return matmul(gpu, dy, w);
    },
  };
}
