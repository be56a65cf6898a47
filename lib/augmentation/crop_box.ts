/**
 * The box of a random resized crop.
 *
 * @module
 */

import type { Rng } from "../rng.ts";

/** A box of whole pixels within a picture. */
export interface CropBox {
  /** First row. */
  top: number;
  /** First column. */
  left: number;
  /** Number of rows, at least 1. */
  height: number;
  /** Number of columns, at least 1. */
  width: number;
}

/**
 * Draws a crop box as torchvision's `RandomResizedCrop.get_params` does: area uniform in `scale`, aspect
 * log-uniform in `ratio`, ten tries; then the largest central box whose aspect is within `ratio`.
 *
 * @param rng Where the draws come from; how many it takes depends on the picture's size.
 * @param width Width of the picture in pixels.
 * @param height Height of the picture in pixels.
 * @param scale Smallest and largest area, as a fraction of the picture's.
 * @param ratio Smallest and largest width over height.
 * @returns A box that lies within the picture.
 */
export function cropBox(
  rng: Rng,
  width: number,
  height: number,
  scale: readonly [number, number],
  ratio: readonly [number, number],
): CropBox {
  const logRatio = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * rng.uniform(scale[0], scale[1]);
    const aspect = Math.exp(rng.uniform(logRatio[0], logRatio[1]));
    const w = Math.round(Math.sqrt(area * aspect));
    const h = Math.round(Math.sqrt(area / aspect));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      return { top: rng.int(height - h + 1), left: rng.int(width - w + 1), height: h, width: w };
    }
  }
  let [w, h] = [width, height];
  if (width / height < ratio[0]) h = Math.max(1, Math.round(width / ratio[0]));
  else if (width / height > ratio[1]) w = Math.max(1, Math.round(height * ratio[1]));
  return { top: (height - h) >> 1, left: (width - w) >> 1, height: h, width: w };
}
