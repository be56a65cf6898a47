/**
 * From a list of operations to the numbers that the kernels read: 12 vec4f (192 bytes) per view.
 *
 * | vec4f | contents |
 * | --- | --- |
 * | 0–2 | mat3, its columns padded to four: output pixel (x, y, 1) → source pixel |
 * | 3 | crop box: left, top, width, height |
 * | 4 | blur: radius in whole pixels, weight inside, weight of the two edges (24 bits), 1 if blurred |
 * | 5 | solarize threshold (256: never), number of colour operations, index of contrast (none: that number) |
 * | 6 + k | colour operation k: kind (0 blend with black, 1 with the own luma, 2 hue, 3 contrast), factor or shift |
 *
 * @module
 */

import { mat3, vec2 } from "../deps.ts";
import { HatchlingError } from "../errors.ts";
import type { AugmentOp } from "./ops.ts";

/** Floats per view in the table. */
export const VIEW_FLOATS = 48;

/** Colour operations that fit in a view: the four of the jitter, and grayscale. */
export const MAX_COLOR_OPS = 5;

/** A picture's size and what to do with it. */
export interface OpsView {
  /** Width of the source picture in pixels. */
  width: number;
  /** Height of the source picture in pixels. */
  height: number;
  /** The operations, in order. */
  ops: readonly AugmentOp[];
}

/** Output rows that one invocation of kernels/augment_crop.wgsl makes. */
export const CROP_ROWS = 8;

/** Turns of loops after which Mesa 22's software Vulkan silently leaves them. */
const MAX_TURNS = 65_535;

/** Turns that the crop takes at most: source rows in fours and, of each four, columns in pairs. */
function cropTurns(box: { width: number; height: number }, width: number, height: number): number {
  const reach = (from: number, to: number) => 4 * Math.max(1, from / to) + 1;
  const between = (Math.min(CROP_ROWS, height) - 1) * box.height / height;
  const rows = Math.min(box.height, between + reach(box.height, height));
  const columns = Math.min(box.width, reach(box.width, width));
  return Math.ceil(rows / 4) * (1 + Math.ceil(columns / 2));
}

/** Stage of the kernels in which an operation runs; a list must not go back. */
const STAGE: Record<AugmentOp["op"], number> = {
  resized_crop: 0,
  hflip: 1,
  brightness: 2,
  contrast: 2,
  saturation: 2,
  hue: 2,
  grayscale: 2,
  gaussian_blur: 3,
  solarize: 4,
  normalize: 5,
};

/**
 * What a colour operation does, as kernels/augment_color.wgsl reads it. Blends are `low + factor · (level − low)`
 * in singles, as in PIL; one matrix for all of them would round differently.
 */
const KIND = { brightness: 0, saturation: 1, grayscale: 1, hue: 2, contrast: 3 };

/**
 * Box blur that stands for a third of a Gaussian's variance: `[whole radius, weight inside, weight of
 * the edges]`, the weights in units of 2^-24 (they sum to 2^24; PIL truncates the inner one).
 */
export function boxWeights(sigma: number): [number, number, number] {
  const { fround } = Math; // PIL computes in singles, and every rounding counts
  const variance = fround(fround(fround(sigma) ** 2) / 3);
  const n = Math.floor((fround(Math.sqrt(12 * variance + 1)) - 1) / 2);
  const over = fround((2 * n + 1) * fround(n * (n + 1) - fround(3 * variance)));
  const under = fround(6 * fround(variance - (n + 1) ** 2));
  const radius = fround(n + fround(over / under));
  const whole = Math.floor(radius);
  const inside = Math.floor(fround(2 ** 24 / fround(2 * radius + 1)));
  return [whole, inside, Math.floor((2 ** 24 - (2 * whole + 1) * inside) / 2)];
}

/**
 * Height and width of a view after its operations.
 *
 * @param view Source size and operations.
 * @returns `[height, width]` in pixels.
 */
export function outputSize(view: OpsView): [number, number] {
  const crop = view.ops.find((o) => o.op === "resized_crop");
  return crop ? [crop.size, crop.size] : [view.height, view.width];
}

/**
 * Writes one view into the table.
 *
 * @param view Source size and operations, in an order that the kernels can follow: crop, colours (up to
 * five, contrast once), blur, solarize, normalise; flips anywhere after the crop.
 * @param table Receives 48 floats.
 * @param offset Where they start.
 * @param channels Channels of the picture. Default 3: red, green, blue.
 * @throws {HatchlingError} when the operations or their numbers cannot be followed.
 */
export function packView(
  view: OpsView,
  table: Float32Array,
  offset = 0,
  channels = 3,
): void {
  const { width, height, ops } = view;
  const [outHeight, outWidth] = outputSize(view);
  let box = { left: 0, top: 0, width, height };
  let flip = false;
  let stage = -1;
  let count = 0;
  let contrast = MAX_COLOR_OPS;
  const out = table.subarray(offset, offset + VIEW_FLOATS);
  out.fill(0);
  out[20] = 256;

  for (const op of ops) {
    const next = STAGE[op.op];
    if (next === undefined) throw refused(ops, `${op.op} is not an operation`);
    if (op.op === "hflip") { // mirror images commute with everything but the crop
      flip = !flip;
      stage = Math.max(stage, next);
      continue;
    }
    if (next === 2 && !meansSomething(op.op, channels)) {
      throw refused(ops, `${op.op} means nothing for pictures of ${channels} channels`);
    }
    if (next < stage || next === stage && next !== 2) {
      throw refused(ops, `${op.op} cannot come after what stands before it`);
    }
    stage = next;
    if (op.op === "resized_crop") {
      box = op;
      const numbers = [op.left, op.top, op.width, op.height, op.size];
      const fits = numbers.every(Number.isInteger) && op.left >= 0 && op.top >= 0 &&
        op.width > 0 && op.height > 0 && op.size > 0 &&
        op.left + op.width <= width && op.top + op.height <= height;
      if (!fits) throw refused(ops, `the crop does not lie within ${width} × ${height} pixels`);
    } else if (op.op === "gaussian_blur") {
      if (!(op.sigma >= 0 && op.sigma <= 1e3)) throw refused(ops, "sigma must be in [0, 1000]");
      out.set([...boxWeights(op.sigma), 1], 16);
    } else if (op.op === "solarize") {
      if (!(op.threshold >= 0 && op.threshold <= 256)) {
        throw refused(ops, "threshold must be in [0, 256]");
      }
      out[20] = op.threshold;
    } else if (op.op !== "normalize") {
      if (count === MAX_COLOR_OPS) {
        throw refused(ops, `at most ${MAX_COLOR_OPS} colour operations fit`);
      }
      const at = 24 + 4 * count;
      if (op.op === "hue") {
        if (!(Math.abs(op.factor) <= 0.5)) {
          throw refused(ops, "the factor of hue must be in [-0.5, 0.5]");
        }
        out.set([KIND.hue, (Math.trunc(op.factor * 255) + 256) % 256], at);
      } else {
        if (op.op === "contrast") {
          if (contrast < count) throw refused(ops, "contrast can stand only once");
          contrast = count;
        }
        out.set([KIND[op.op], op.op === "grayscale" ? 0 : factorOf(op, ops)], at);
      }
      count++;
    }
  }
  if (cropTurns(box, outWidth, outHeight) > MAX_TURNS) {
    throw new HatchlingError(
      `Expected a picture that shrinks less than ${box.width} × ${box.height} to ${outWidth} × ` +
        `${outHeight} pixels: reduce it first (data.max_pixels)`,
    );
  }
  const scale = vec2.create(box.width / outWidth, box.height / outHeight);
  const start = vec2.create(box.left, box.top);
  if (flip) {
    scale[0] = -scale[0];
    start[0] += box.width;
  }
  out.set(mat3.multiply(mat3.translation(start), mat3.scaling(scale)), 0);
  out.set([box.left, box.top, box.width, box.height], 12);
  out[21] = count;
  out[22] = Math.min(contrast, count);
}

/** Brightness scales any channel; contrast needs a luma, the others a colour. */
function meansSomething(op: AugmentOp["op"], channels: number): boolean {
  return channels === 3 || op === "brightness" || (op === "contrast" && channels === 1);
}

function factorOf(op: { op: string; factor: number }, ops: readonly AugmentOp[]): number {
  if (op.factor >= 0 && op.factor <= 1e4) return op.factor;
  throw refused(ops, `the factor of ${op.op} must be in [0, 10000]`);
}

function refused(ops: readonly AugmentOp[], why: string): HatchlingError {
  return new HatchlingError(
    "Expected operations in the order resized_crop, colours, gaussian_blur, solarize, normalize " +
      `(hflip anywhere after the crop) but ${why}: ${JSON.stringify(ops)}`,
  );
}
