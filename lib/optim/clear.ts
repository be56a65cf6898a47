/**
 * The start of a step that comes in micro-batches.
 *
 * @module
 */
import code from "../../kernels/clear.wgsl" with { type: "text" };
import { defineKernel, type Gpu, grid, type Scalar, type Tensor } from "../gpu.ts";

const CLEAR = defineKernel("clear", code);

/**
 * Sets a tensor to zero where the number of the micro-batch is 0: recorded with every one, it acts in the first.
 */
export function clearAtFirst(gpu: Gpu, tensor: Tensor, microBatch: Scalar): void {
  gpu.dispatch(CLEAR, {
    bindings: { scalars: microBatch.table, x: tensor },
    params: { n: tensor.size, micro_batch_index: microBatch.index },
    workgroups: grid(tensor.size / 16, 64),
  });
}
