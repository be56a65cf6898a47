/**
 * SwiGLU: the gate of an MLP whose first layer is twice as wide.
 *
 * @module
 */
import code from "../../kernels/swiglu.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, type Tensor } from "../gpu.ts";
import { moveLaunch } from "./row_launch.ts";
import { PUT, WALK_ROWS } from "./wgsl_parts.ts";

const SWIGLU = defineKernel("swiglu", code, { shared: [PUT, WALK_ROWS] });

/**
 * y = silu(x₁) · x₂, x = [x₁ | x₂], silu(v) = v / (1 + exp(−v)) (Shazeer 2020, arXiv:2002.05202, as DINOv2 has it).
 *
 * @param x [R, 2 · H], leading dimensions flattened.
 * @returns y [R, H], and `backward(dy)`, the gradient of x.
 * @throws {HatchlingError} When the width of x is odd.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { swiglu } from "@hatchling/hatchling/ops";
 *
 * const gpu = await openGpu();
 * const x = gpu.tensor(Float32Array.of(0, 100, 2, 3), [1, 4]);
 * console.log(await swiglu(gpu, x).y.read()); // 0, 300
 * gpu.destroy();
 * ```
 */
export function swiglu(gpu: Gpu, x: Tensor): { y: Tensor; backward(dy: Tensor): Tensor } {
  const hidden = x.shape.at(-1)! / 2;
  if (!Number.isInteger(hidden)) {
    throw new HatchlingError(`swiglu: expected two halves of equal width but found ${x}`);
  }
  const rows = x.size / hidden / 2;
  const run = (out: Tensor, dy?: Tensor): Tensor => {
    const { constants, width, workgroups } = moveLaunch(rows, hidden);
    gpu.dispatch(SWIGLU, {
      constants: { ...constants, GRAD: !!dy },
      bindings: { x, dy, out },
      params: { rows, width },
      workgroups,
      flops: (dy ? 12 : 6) * rows * hidden,
    });
    return out;
  };
  return {
    y: run(gpu.empty([...x.shape.slice(0, -1), hidden], "swiglu", x.dtype)),
    backward: (dy) => run(gpu.empty(x.shape, "swiglu.grad"), dy),
  };
}
