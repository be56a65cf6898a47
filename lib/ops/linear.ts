/**
 * Linear layer, with GELU or a residual fused into its product.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { DType, Gpu, Tensor } from "../gpu.ts";
import { matmul } from "./matmul.ts";
import { columnSum } from "./reduce.ts";
import { claim, type Weight } from "./weight.ts";

/** Options of {@linkcode linear}. */
export interface LinearOptions {
  /** Apply the exact GELU to the result. */
  gelu?: boolean;
  /** Nobody comes back: what GELU is of is not kept; false by default. */
  forwardOnly?: boolean;
  /** [R, out], added to the result. */
  residual?: Tensor;
  /** What the result holds; by default what x does. */
  dtype?: DType;
  /** Elements of the bias, from one to before another, that stay as they are: their gradient is 0. */
  held?: readonly [from: number, end: number];
}

/** What {@linkcode linear} returns. */
export interface LinearResult {
  /** [R, out]. */
  y: Tensor;
  /** Before GELU, where there is one that is kept: {@linkcode geluInput} gives it. */
  pre?: Tensor;
  /** As {@linkcode LinearBackward} says. */
  backward: LinearBackward;
}

/**
 * Fills the gradients of weight and bias; returns that of the input. `dy` is the gradient of the value
 * *before* GELU. With `geluGradOf` (the pre-activations of the layer below) the input gradient comes
 * already multiplied by GELU′. `input: false` skips it.
 */
export type LinearBackward = (
  dy: Tensor,
  options?: { geluGradOf?: Tensor; input?: boolean },
) => Tensor | undefined;

/** y = x · Wᵀ + b, x [R, in], W [out, in], b [out]; dx = dy · W, dW = dyᵀ · x, db = Σ rows of dy. */
export function linear(
  gpu: Gpu,
  x: Tensor,
  weight: Weight,
  bias?: Weight,
  options: LinearOptions = {},
): LinearResult {
  const { gelu, forwardOnly, residual, held, dtype = x.dtype } = options;
  const w = matrixOf(weight);
  const pre = gelu && !forwardOnly
    ? gpu.empty([...x.shape.slice(0, -1), w.shape[0]], "pre_gelu", dtype)
    : undefined;
  const y = matmul(gpu, x, w, {
    transB: true,
    bias: bias?.data,
    gelu,
    geluPre: pre,
    add: residual,
    dtype,
  });
  return { y, pre, backward: linearBackward(gpu, x, weight, bias, held) };
}

/**
 * What a layer's GELU was of, for the next layer's backward as `geluGradOf`.
 *
 * @throws {HatchlingError} When the layer keeps nothing for a way back.
 */
export function geluInput({ pre }: LinearResult): Tensor {
  if (pre) return pre;
  throw new HatchlingError(
    "linear: expected what GELU was of, for the way back, but it was not kept: leave `forwardOnly` out, and make " +
      "Parameters with `grad: true`",
  );
}

/** The backward pass of {@linkcode linear} alone, for an input whose result is not needed again. */
export function linearBackward(
  gpu: Gpu,
  x: Tensor,
  weight: Weight,
  bias?: Weight,
  held?: LinearOptions["held"],
): LinearBackward {
  const w = matrixOf(weight);
  return (dy, { geluGradOf, input = true } = {}) => {
    const dw = claim(weight);
    const db = bias && claim(bias);
    const sums = db && { ...db, zeros: held };
    if (dw) {
      const out = dw.out.view(w.shape);
      matmul(gpu, dy, x, { transA: true, out, accumulate: dw.accumulate, sums });
    } else if (sums) {
      columnSum(gpu, dy, sums);
    }
    return input ? matmul(gpu, dy, w, { geluGradOf }) : undefined;
  };
}

/** A weight as [out, in]. */
function matrixOf({ data }: Weight): Tensor {
  const [out] = data.shape;
  return data.view([out, data.size / out]);
}
