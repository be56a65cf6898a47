/**
 * What a decoded picture is, for the whole project.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";

/**
 * A decoded picture.
 *
 * @category Data
 */
export interface Picture {
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
  /** Channels C ≥ 1. Default 3: red, green, blue. */
  channels?: number;
  /**
   * ⌈C / 3⌉ planes one after the other, each RGBA8, row by row from the top, `4 · width · height` bytes.
   * Plane g holds channels 3g, 3g + 1 and 3g + 2 in its first three bytes; a channel beyond C is 0, every
   * fourth byte 255. Of one channel (gray) the level stands in all three: it may serve as three channels.
   */
  data: Uint8Array;
  /** Columns and rows before the picture was reduced, upright as it is; absent where it was not. */
  original?: { width: number; height: number };
}

/**
 * Planes of a picture: how many groups of three channels it is stored in.
 *
 * @param channels C ≥ 1.
 */
export function planesOf(channels: number): number {
  return Math.ceil(channels / 3);
}

/** PIL's luma (ITU-R 601-2 in 16-bit fixed point) of levels from 0 to 255. */
export function luma(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

/**
 * A picture in another number of channels: 3 → 1 by luma, as PIL's `convert("L")`; 1 → 3 by repetition.
 *
 * @param picture Any picture.
 * @param channels Channels that the model takes.
 * @returns A new picture, or `picture` itself where its bytes are right.
 * @throws {HatchlingError} for other numbers: nothing says what the new channels should hold.
 */
export function withChannels(picture: Picture, channels: number): Picture {
  const { channels: found = 3, data } = picture;
  if (found === channels) return picture;
  if (found === 1 && channels === 3) return { ...picture, channels };
  if (found !== 3 || channels !== 1) {
    throw new HatchlingError(
      `Expected a picture of ${channels} channels but found ${found}: only gray and colour pictures turn ` +
        `into each other. Set model.in_chans to ${found}`,
    );
  }
  const gray = new Uint8Array(data.length).fill(255);
  for (let i = 0; i < data.length; i += 4) {
    gray[i] = gray[i + 1] = gray[i + 2] = luma(data[i], data[i + 1], data[i + 2]);
  }
  return { ...picture, channels, data: gray };
}

/**
 * Composites RGBA on white, in place: c → round((c·a + 255·(255 − a)) / 255), a → 255. Hidden colours of
 * fully transparent pixels, which files are free to fill with anything, do not survive.
 *
 * @param rgba RGBA8 with straight (not premultiplied) alpha.
 */
export function compositeOnWhite(rgba: Uint8Array): void {
  for (let i = 3; i < rgba.length; i += 4) {
    const a = rgba[i];
    if (a === 255) continue;
    const white = 255 * (255 - a) + 127; // 127: half of the divisor, to round
    rgba[i - 3] = Math.floor((rgba[i - 3] * a + white) / 255);
    rgba[i - 2] = Math.floor((rgba[i - 2] * a + white) / 255);
    rgba[i - 1] = Math.floor((rgba[i - 1] * a + white) / 255);
    rgba[i] = 255;
  }
}

/**
 * RGBA as a picture of four channels: red, green and blue in one plane, alpha in a second.
 *
 * @param picture RGBA8 with straight alpha in one plane; its data is changed.
 * @returns A new picture of 4 channels.
 */
export function splitAlpha({ width, height, data }: Picture): Picture {
  const planes = new Uint8Array(2 * data.length);
  for (let i = 3, to = data.length; i < data.length; i += 4, to += 4) {
    planes[to] = data[i];
    planes[to + 3] = data[i] = 255;
  }
  planes.set(data);
  return { width, height, channels: 4, data: planes };
}

/**
 * Turns a picture upright by its EXIF orientation.
 *
 * @param picture Stored picture.
 * @param orientation 1 to 8 as in EXIF 2.3, tag 0x0112: where row 0 and column 0 of the stored picture
 * lie when it is upright. 5 to 8 exchange width and height. Anything else leaves it as it is.
 * @returns The upright picture; `picture` itself for orientation 1.
 */
export function upright(picture: Picture, orientation: number): Picture {
  if (!(orientation >= 2 && orientation <= 8)) return picture;
  const { width: w, height: h, channels = 3, original } = picture;
  const swap = orientation >= 5;
  const [width, height] = swap ? [h, w] : [w, h];
  // The same corner codes, as: which axes of the *stored* picture are read backwards.
  const backX = [2, 3, 7, 8].includes(orientation), backY = [3, 4, 6, 7].includes(orientation);
  const from = new Uint32Array(picture.data.slice().buffer);
  const to = new Uint32Array(from.length);
  for (let plane = 0, i = 0; plane < planesOf(channels); plane++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const sx = swap ? y : x, sy = swap ? x : y;
        to[i] = from[plane * w * h + (backY ? h - 1 - sy : sy) * w + (backX ? w - 1 - sx : sx)];
      }
    }
  }
  const turned = { ...picture, width, height, data: new Uint8Array(to.buffer) };
  if (original && swap) turned.original = { width: original.height, height: original.width };
  return turned;
}

/** Pictures one after the other in one buffer, as the augmentation kernels read them. */
export interface PackedPictures {
  /** RGBA8, one pixel per number with red in the lowest byte; the planes of a picture follow one another. */
  pixels: Uint32Array;
  /** Pixels in use, from 0. */
  usedPixels: number;
  /** Offset in pixels, width, height and 0 of every picture: `[B, 4]`. */
  table: Uint32Array;
}

/**
 * Packs pictures into one buffer.
 *
 * @param pictures Pictures with 4 bytes a pixel and plane.
 * @param pixels A buffer that is large enough; by default a new one of just the size.
 */
export function packPictures(
  pictures: readonly Picture[],
  pixels: Uint32Array = new Uint32Array(
    pictures.reduce((sum, { data }) => sum + data.length / 4, 0),
  ),
): PackedPictures {
  const bytes = new Uint8Array(pixels.buffer);
  const table = new Uint32Array(4 * pictures.length);
  let usedPixels = 0;
  pictures.forEach(({ width, height, data }, b) => {
    bytes.set(data, 4 * usedPixels);
    table.set([usedPixels, width, height, 0], 4 * b);
    usedPixels += data.length / 4;
  });
  return { pixels, usedPixels, table };
}
