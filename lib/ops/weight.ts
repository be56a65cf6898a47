/**
 * Weights as ops see them: values, and where their gradient goes.
 *
 * @module
 */
import { type Gpu, grid, type Tensor } from "../gpu/mod.ts";

/** A parameter of an op. A bare `{ data }` gets no gradient. */
export interface Weight {
  /** The values. */
  readonly data: Tensor;
  /** Receives the gradient in the backward pass. */
  readonly grad?: Tensor;
  /** True once `grad` holds something in this backward pass: the next contribution is added. */
  filled?: boolean;
}

/** Claims a weight's gradient for writing: whether to add, and that it now holds something. */
export function claim(weight: Weight): { out: Tensor; accumulate: boolean } | undefined {
  if (!weight.grad) return undefined;
  const accumulate = weight.filled ?? false;
  weight.filled = true;
  return { out: weight.grad, accumulate };
}

/** Lanes that share a row in row-wise kernels: one on software adapters, a workgroup's 64 on GPUs. */
export function lanes(gpu: Gpu): number {
  return gpu.isSoftware ? 1 : 64;
}

/** Workgroups of a row-wise kernel: 64 invocations, `lanes` of them per row. */
export function rowGrid(gpu: Gpu, rows: number): [number, number, number] {
  return grid(rows * lanes(gpu), 64);
}
