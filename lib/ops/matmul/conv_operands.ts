/**
 * A convolution as a product: one operand is read out of pictures while the product is made, so that the matrix of
 * all windows is never in memory.
 *
 * @module
 */
import convACode from "../../../kernels/shared/conv_a.wgsl" with { type: "text" };
import convBCode from "../../../kernels/shared/conv_b.wgsl" with { type: "text" };
import fourCode from "../../../kernels/shared/conv_four.wgsl" with { type: "text" };
import ioCode from "../../../kernels/shared/conv_io.wgsl" with { type: "text" };
import oneCode from "../../../kernels/shared/conv_one.wgsl" with { type: "text" };
import tapsCode from "../../../kernels/shared/conv_taps.wgsl" with { type: "text" };
import wholeIoCode from "../../../kernels/shared/conv_whole_io.wgsl" with { type: "text" };
import { HatchlingError } from "../../errors.ts";
import type { Gpu, SharedCode, Tensor } from "../../gpu.ts";
import { MATRIX, productKernels } from "./kernels.ts";
import { EPILOGUE, launch } from "./launch.ts";
import { fits, type Product, splitsOf, usualVariant, variantOf } from "./variants.ts";

const IO: SharedCode = { name: "conv_io", code: ioCode };
const WHOLE_IO: SharedCode = { name: "conv_whole_io", code: wholeIoCode };
const TAPS: SharedCode = { name: "conv_taps", code: tapsCode };
const FOUR: SharedCode = { name: "conv_four", code: fourCode };
const ONE: SharedCode = { name: "conv_one", code: oneCode };
const CONV_A: SharedCode = { name: "conv_a", code: convACode };
const CONV_B: SharedCode = { name: "conv_b", code: convBCode };

/** Kernels that read four channels at a time, or one. */
function kernelsOf(suffix: string, windows: SharedCode, { any, whole }: typeof MATRIX.a) {
  const read = (taps: SharedCode) => ({
    any: [IO, TAPS, taps, windows, ...any],
    whole: [WHOLE_IO, TAPS, taps, windows, ...whole],
  });
  return {
    four: productKernels(suffix, read(FOUR)),
    // Single channels are never whole vec4s.
    one: productKernels(`${suffix}_one`, { any: read(ONE).any }),
  };
}

/** Windows times a weight: the forward pass and the gradient of the input; and for the gradient of the weight. */
const KERNELS = {
  a: kernelsOf("_conv", CONV_A, MATRIX.b),
  b: kernelsOf("_conv_weight", CONV_B, MATRIX.a),
};

/** How windows lie on pictures. */
export interface Windows {
  /** Which operand they are. */
  operand: "a" | "b";
  /** From places of the output to the input, or the other way. */
  back: boolean;
  /** [B, H, W, C], which the windows lie on. */
  pictures: Tensor;
  /** Places, rows and columns, that have a window each. */
  places: readonly [rows: number, cols: number];
  /** Pixels per side of a window, from one to the next, and beyond the edge. */
  side: number;
  stride: number;
  pad: number;
}

/** C = windows · matrix, or matrixᵀ · windows; with `add`, that is added. */
export function windowProduct(
  gpu: Gpu,
  product: Product,
  windows: Windows,
  { matrix, out, add }: { matrix: Tensor; out: Tensor; add?: Tensor },
): void {
  const { operand, back, pictures, places: [rows, cols], side, stride, pad } = windows;
  const [, height, width, channels] = pictures.shape;
  const whole = channels % 4 === 0;
  let variant = variantOf(gpu, product);
  if (variant === "naive" || variant === "subgroup" && !(whole && fits(gpu, variant, product))) {
    const usual = usualVariant(gpu, product);
    variant = gpu.isSoftware || usual === "naive" ? "plain" : usual;
    if (!gpu.allows("matmul", variant)) {
      throw new HatchlingError(
        "Expected a kernel for convolutions that computes right on this adapter but all were found wrong: update the " +
          "driver, or try HATCHLING_ADAPTER=swiftshader",
      );
    }
  }
  const [a, b] = operand === "a" ? [pictures, matrix] : [matrix, pictures];
  const sizes = { channels, height, width, grid: rows * cols, grid_width: cols };
  const operands = {
    kernels: KERNELS[operand][whole ? "four" : "one"],
    whole,
    constants: { BACK: back },
    params: { ...sizes, side, stride, pad },
  };
  const splits = splitsOf(gpu, variant, product);
  launch(gpu, variant, product, { a, b, out, aux: add, operands }, add ? EPILOGUE.add : 0, splits);
}
