/**
 * The start of a step that comes in parts.
 *
 * @module
 */
import code from "../../kernels/clear.wgsl" with { type: "text" };
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu/mod.ts";

const CLEAR = defineKernel("clear", code);

/**
 * Sets a tensor to zero where `scalars[index]`, the number of the part, is 0: recorded with every part, it
 * acts in the first.
 */
export function clearAtFirst(gpu: Gpu, tensor: Tensor, scalars: Tensor, index: number): void {
  gpu.dispatch(CLEAR, {
    bindings: { scalars, x: tensor },
    params: { n: tensor.size, index },
    workgroups: grid(tensor.size / 16, 64),
  });
}
