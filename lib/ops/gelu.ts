/**
 * Exact GELU on its own; the model uses the one fused into the matmul.
 *
 * @module
 */
import code from "../../kernels/gelu.wgsl" with { type: "text" };
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu.ts";
import { GELU as GELU_CODE } from "./wgsl_parts.ts";

const GELU = defineKernel("gelu", code, { shared: [GELU_CODE] });

/** y = x · Φ(x), element by element (Hendrycks and Gimpel 2016); dx = dy · (Φ(x) + x φ(x)). */
export function gelu(gpu: Gpu, x: Tensor): { y: Tensor; backward(dy: Tensor): Tensor } {
  const run = (dy: Tensor, grad: boolean): Tensor => {
    const y = gpu.empty(x.shape, grad ? "gelu.grad" : "gelu");
    gpu.dispatch(GELU, {
      constants: { GRAD: grad },
      bindings: { x, dy, y },
      params: { n: x.size },
      workgroups: grid(4 * Math.ceil(x.size / 64), 64),
      flops: 25 * x.size,
    });
    return y;
  };
  return { y: run(x, false), backward: (dy) => run(dy, true) };
}
