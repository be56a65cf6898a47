/**
 * Weights as ops see them: values, and where their gradient goes.
 *
 * @module
 */
import type { Tensor } from "../gpu.ts";

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
