/**
 * The operations of the augmentation, as plain objects that can be printed, stored and compared.
 * Levels run from 0 to 255; every operation ends in whole levels, as in PIL.
 *
 * @module
 */

import type { CropBox } from "./crop_box.ts";

/** Crop, then resize to `size` × `size` (bicubic, a = -0.5, antialiased when shrinking). */
export interface ResizedCropOp extends CropBox {
  /** Name of the operation. */
  op: "resized_crop";
  /** Side of the result in pixels. */
  size: number;
}

/**
 * Blend with black, the mean luma or the own luma: `low + factor · (level - low)`; or turn the hue. Gray
 * pictures know brightness and contrast, those of other channel counts than 1 and 3 brightness alone.
 */
export interface ColorOp {
  /** Name of the operation. */
  op: "brightness" | "contrast" | "saturation" | "hue";
  /** Blend factor ≥ 0 (1: no change); for hue the shift in turns, in [-0.5, 0.5]. */
  factor: number;
}

/** Flip left and right. */
export interface HflipOp {
  /** Name of the operation. */
  op: "hflip";
}

/** Replace every pixel by its luma (ITU-R 601-2). */
export interface GrayscaleOp {
  /** Name of the operation. */
  op: "grayscale";
}

/** Three box blurs that stand for a Gaussian. */
export interface GaussianBlurOp {
  /** Name of the operation. */
  op: "gaussian_blur";
  /** Standard deviation in pixels ≥ 0 (PIL's `radius`). */
  sigma: number;
}

/** Invert the levels from `threshold` on. */
export interface SolarizeOp {
  /** Name of the operation. */
  op: "solarize";
  /** First level that is inverted, 0 to 256. */
  threshold: number;
}

/** To floats: `(level / 255 - mean) / std` per channel. */
export interface NormalizeOp {
  /** Name of the operation. */
  op: "normalize";
  /** Mean per channel; ImageNet's when absent. */
  mean?: readonly number[];
  /** Standard deviation per channel; ImageNet's when absent. */
  std?: readonly number[];
}

/** One step of an augmentation. */
export type AugmentOp =
  | ResizedCropOp
  | HflipOp
  | GrayscaleOp
  | ColorOp
  | GaussianBlurOp
  | SolarizeOp
  | NormalizeOp;
