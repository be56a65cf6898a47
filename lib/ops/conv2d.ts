/**
 * Two-dimensional convolution as an implicit matrix product, on pictures with channels last.
 *
 * @module
 */
import weightCode from "../../kernels/conv_weight.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu.ts";
import { matmul } from "./matmul.ts";
import { windowProduct } from "./matmul/conv_operands.ts";
import { claim, type Weight } from "./weight.ts";

const CONV_WEIGHT = defineKernel("conv_weight", weightCode);

/** Options of {@linkcode conv2d}. */
export interface Conv2dOptions {
  /** Pixels from one window to the next; 1 by default. */
  stride?: number;
  /** Zeros around the picture; 0 by default. */
  padding?: number;
}

/** What {@linkcode conv2d} returns. */
export interface Conv2dResult {
  /** [B, rows, cols, O]. */
  y: Tensor;
  /**
   * Fills the gradient of the weight; returns that of x, plus `add` (a gradient of x from elsewhere). `input: false`
   * skips it.
   */
  backward(dy: Tensor, options?: { input?: boolean; add?: Tensor }): Tensor | undefined;
}

/**
 * y = x ⋆ weight, without a bias. Channels are last, so that a convolution of 1 × 1 is a plain product of x as a matrix,
 * four channels are one vec4 of every window, and the last map is a matrix of tokens as it is.
 *
 * @param x [B, H, W, C'], C' ≥ C: channels beyond those of the weight count as zeros whatever they hold.
 * @param weight [O, C, side, side], as PyTorch stores it.
 * @throws {HatchlingError} When shapes do not fit, or no window does.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { conv2d } from "@hatchling/hatchling/ops";
 *
 * const gpu = await openGpu();
 * const x = gpu.tensor(Float32Array.of(1, 2, 3, 4), [1, 2, 2, 1]);
 * const weight = { data: gpu.tensor(new Float32Array(9).fill(1), [1, 1, 3, 3]) };
 * const { y } = gpu.scope(() => ({ y: conv2d(gpu, x, weight, { padding: 1 }).y }));
 * console.log(await y.read()); // 10 10 10 10
 * for (const t of [x, weight.data, y]) t.destroy();
 * gpu.destroy();
 * ```
 */
export function conv2d(
  gpu: Gpu,
  x: Tensor,
  weight: Weight,
  { stride = 1, padding: pad = 0 }: Conv2dOptions = {},
): Conv2dResult {
  const [outputs, channels, side, across] = weight.data.shape;
  const [batch, height, width, padded] = x.shape;
  const [rows, cols] = [height, width].map((n) => Math.floor((n + 2 * pad - side) / stride) + 1);
  const whole = [stride, pad + 1].every((n) => Number.isInteger(n) && n >= 1);
  if (
    x.shape.length !== 4 || weight.data.shape.length !== 4 || side !== across ||
    !(padded >= channels) || !whole || !(rows >= 1 && cols >= 1)
  ) {
    throw new HatchlingError(
      `conv2d: expected pictures [B, H, W, C'], a weight [O, C, side, side] with C ≤ C', a stride from 1 on and a ` +
        `padding such that a window fits, but found ${x}, ${weight.data}, stride ${stride} and padding ${pad}`,
    );
  }
  const taps = side * side, m = batch * rows * cols;
  const y = gpu.empty([batch, rows, cols, outputs], "conv2d");
  const move = (to: number, src: Tensor, out: Tensor, accumulate = false): Tensor => {
    gpu.dispatch(CONV_WEIGHT, {
      constants: { TO: to },
      bindings: { src, out },
      params: { n: out.size, outputs, channels, taps, padded, accumulate: +accumulate },
      workgroups: grid(out.size, 64),
    });
    return out;
  };
  const window = { side, stride, pad };
  // A window of one pixel at every pixel: x is the matrix.
  const plain = side === 1 && stride === 1 && pad === 0 && padded === channels;
  const asMatrix = (t: Tensor) => t.view([t.size / t.shape.at(-1)!, t.shape.at(-1)!]);
  const flat = weight.data.view([outputs, channels * taps]);
  if (plain) {
    matmul(gpu, asMatrix(x), flat, { transB: true, out: asMatrix(y) });
  } else {
    const product = { m, n: outputs, k: taps * padded, transA: false, transB: true };
    const matrix = move(0, weight.data, gpu.empty([outputs, taps * padded], "conv2d.weight"));
    windowProduct(gpu, product, {
      ...window,
      ...{ operand: "a", back: false, pictures: x, places: [rows, cols] },
    }, { matrix, out: y });
  }
  const weightGradient = (dy: Tensor) => {
    const dw = claim(weight);
    if (!dw) return;
    if (plain) {
      const out = dw.out.view(flat.shape);
      matmul(gpu, asMatrix(dy), asMatrix(x), { transA: true, out, accumulate: dw.accumulate });
      return;
    }
    const product = { m: outputs, n: taps * padded, k: m, transA: true, transB: false };
    const gathered = gpu.empty([outputs, taps * padded], "conv2d.weight.grad");
    windowProduct(gpu, product, {
      ...window,
      ...{ operand: "b", back: false, pictures: x, places: [rows, cols] },
    }, { matrix: dy, out: gathered });
    move(2, gathered, dw.out, dw.accumulate);
  };
  return {
    y,
    backward(dy, { input = true, add } = {}) {
      weightGradient(dy);
      if (!input) return undefined;
      const dx = gpu.empty(x.shape, "conv2d.grad");
      if (plain) {
        matmul(gpu, asMatrix(dy), flat, { out: asMatrix(dx), add });
        return dx;
      }
      const product = {
        m: batch * height * width,
        n: padded,
        k: taps * outputs,
        transA: false,
        transB: false,
      };
      const matrix = move(1, weight.data, gpu.empty([taps * outputs, padded], "conv2d.weight"));
      windowProduct(gpu, product, {
        ...window,
        ...{ operand: "a", back: true, pictures: dy, places: [height, width] },
      }, { matrix, out: dx, add });
      return dx;
    },
  };
}
