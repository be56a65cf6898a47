/**
 * Softmax over the last dimension.
 *
 * @module
 */
import code from "../../kernels/softmax.wgsl" with { type: "text" };
import subgroupCode from "../../kernels/softmax_subgroup.wgsl" with { type: "text" };
import { defineKernel, type Gpu, type Tensor } from "../gpu.ts";
import { heldLaunch, rowLaunch } from "./row_launch.ts";
import { LANE_SUM, LANES } from "./wgsl_parts.ts";

const SOFTMAX = defineKernel("softmax", code, { shared: [LANES] });
const SOFTMAX_SUBGROUP = defineKernel("softmax_subgroup", subgroupCode, {
  shared: [LANE_SUM],
  subgroups: true,
});

/** y = exp(x − max) / Σ exp(x − max) per row of x [R, C]; dx = y · (dy − Σ dy · y). */
export function softmax(gpu: Gpu, x: Tensor): { y: Tensor; backward(dy: Tensor): Tensor } {
  const cols = x.shape.at(-1) ?? 1;
  const rows = x.size / cols;
  const run = (a: Tensor, dy: Tensor, grad: boolean): Tensor => {
    const out = gpu.empty(x.shape, grad ? "softmax.grad" : "softmax");
    const held = heldLaunch(gpu, rows, cols);
    const { constants, workgroups } = held ?? rowLaunch(gpu, rows, cols);
    gpu.dispatch(held ? SOFTMAX_SUBGROUP : SOFTMAX, {
      constants: { ...constants, GRAD: grad },
      bindings: { x: a, dy, out },
      params: { rows, cols },
      workgroups,
      flops: 5 * x.size,
    });
    return out;
  };
  const y = run(x, x, false);
  return { y, backward: (dy) => run(y, dy, true) };
}
