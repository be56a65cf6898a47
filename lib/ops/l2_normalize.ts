/**
 * L2 normalisation of rows.
 *
 * @module
 */
import code from "../../kernels/l2_normalize.wgsl" with { type: "text" };
import { defineKernel, type Gpu, type Tensor } from "../gpu.ts";
import { rowLaunch } from "./row_launch.ts";
import { LANES, PUT } from "./wgsl_parts.ts";

const L2_NORMALIZE = defineKernel("l2_normalize", code, { shared: [LANES, PUT] });

/**
 * y = x / max(‖x‖, eps) per row of x [R, D], as torch.nn.functional.normalize;
 * dx = (dy − y Σ dy · y) / ‖x‖.
 */
export function l2Normalize(
  gpu: Gpu,
  x: Tensor,
  eps = 1e-12,
): { y: Tensor; backward(dy: Tensor): Tensor } {
  const dim = x.shape.at(-1) ?? 1;
  const rows = x.size / dim;
  const run = (dy: Tensor, grad: boolean): Tensor => {
    const out = gpu.empty(x.shape, grad ? "l2_normalize.grad" : "l2_normalize");
    const { constants, workgroups } = rowLaunch(gpu, rows, dim);
    gpu.dispatch(L2_NORMALIZE, {
      constants: { ...constants, VEC: dim % 4 === 0, GRAD: grad },
      bindings: { x, dy, out },
      params: { rows, dim, eps },
      workgroups,
      flops: 4 * x.size,
    });
    return out;
  };
  return { y: run(x, false), backward: (dy) => run(dy, true) };
}
