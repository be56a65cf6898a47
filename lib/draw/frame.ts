/**
 * From a picture to what the model gets of it.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { type Picture, planesOf } from "../data/image.ts";
import { resizeBicubic } from "../data/resample.ts";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";

/** A picture at the size that the model looks at. */
export interface Framed {
  /** As it looks, 0 to 255. */
  shown: Picture;
  /** Normalised, [C, H, W]. */
  input: Float32Array;
}

/** Patches of one image: each attends to all. */
const MOST_PATCHES = 2 ** 14;

/** How pictures are framed. */
export interface Framing {
  /** Name of the picture, for messages. */
  id?: string;
  /** Side of the central square, or of the shorter side with `whole`; a multiple of `patch`. */
  size: number;
  /** Side of a patch. */
  patch: number;
  /** Take the whole picture, its longer side rounded to patches. */
  whole: boolean;
}

/**
 * Checks that patches fill a size.
 *
 * @throws {HatchlingError} Naming the sizes that fit.
 */
export function checkSize(size: number, patch: number): void {
  const most = Math.floor(Math.sqrt(MOST_PATCHES));
  if (size > most * patch) {
    throw new HatchlingError(
      `Expected --size of at most ${
        most * patch
      }, ${most} × ${most} patches of the model, but found ` +
        `${size}: time grows with the square of their number`,
    );
  }
  if (Number.isInteger(size) && size >= patch && size % patch === 0) return;
  const below = Math.max(patch, Math.floor(size / patch) * patch);
  const fits = size < patch ? [patch, 2 * patch] : [below, below + patch];
  throw new HatchlingError(
    `Expected --size to be a multiple of the model's patch size ${patch} but found ${size}: ` +
      `${fits.join(" and ")} fit`,
  );
}

/** The central square, or the whole picture; resized as PIL does. */
export function framed(picture: Picture, framing: Framing, { augmentation }: Config): Framed {
  const picked = framing.whole ? wholeOf(picture, framing) : squareOf(picture, framing.size);
  const { width, height, channels = 3, data } = picked;
  const area = width * height, input = new Float32Array(channels * area);
  const { normalize_mean: mean, normalize_std: std } = augmentation;
  for (let c = 0; c < channels; c++) {
    const at = 4 * area * Math.floor(c / 3) + c % 3;
    for (let i = 0; i < area; i++) {
      input[c * area + i] = (data[at + 4 * i] / 255 - mean[c]) / std[c];
    }
  }
  return { shown: picked, input };
}

function wholeOf(picture: Picture, { id = "a picture", size, patch }: Framing): Picture {
  const { width, height } = picture, short = Math.min(width, height);
  const side = (n: number) => {
    return n === short ? size : Math.max(patch, Math.round(n * size / short / patch) * patch);
  };
  const [w, h] = [side(width), side(height)], patches = w * h / patch ** 2;
  if (patches > MOST_PATCHES) {
    throw new HatchlingError(
      `Expected at most ${MOST_PATCHES} patches of ${
        shown(id)
      } but ${width} × ${height} pixels would be ` +
        `${w} × ${h}, of ${patches} patches: lower --size, or leave out --whole`,
    );
  }
  return resizeBicubic(picture, w, h);
}

/** The central square, at a size. */
export function squareOf(picture: Picture, size: number): Picture {
  const { width, height, channels = 3, data } = picture;
  const side = Math.min(width, height);
  if (width === height) return resizeBicubic(picture, size, size);
  const left = Math.floor((width - side) / 2), top = Math.floor((height - side) / 2);
  const planes = planesOf(channels), out = new Uint8Array(4 * side * side * planes);
  for (let row = 0; row < planes * side; row++) {
    const from = 4 * ((Math.floor(row / side) * height + top + row % side) * width + left);
    out.set(data.subarray(from, from + 4 * side), 4 * side * row);
  }
  return resizeBicubic({ ...picture, width: side, height: side, data: out }, size, size);
}
