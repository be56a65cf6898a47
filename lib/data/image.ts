/**
 * What a decoded picture is, for the whole project.
 *
 * @module
 */

/** A decoded picture. */
export interface Picture {
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
  /**
   * RGBA8, row by row from the top, `4 · width · height` bytes. Alpha is already composited on white:
   * every fourth byte is 255.
   */
  data: Uint8Array;
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
 * Turns a picture upright by its EXIF orientation.
 *
 * @param picture Stored picture.
 * @param orientation 1 to 8 as in EXIF 2.3, tag 0x0112: where row 0 and column 0 of the stored picture
 * lie when it is upright. 5 to 8 exchange width and height. Anything else leaves it as it is.
 * @returns The upright picture; `picture` itself for orientation 1.
 */
export function upright(picture: Picture, orientation: number): Picture {
  if (!(orientation >= 2 && orientation <= 8)) return picture;
  const { width: w, height: h } = picture;
  const swap = orientation >= 5;
  const [width, height] = swap ? [h, w] : [w, h];
  // The same corner codes, as: which axes of the *stored* picture are read backwards.
  const backX = [2, 3, 7, 8].includes(orientation), backY = [3, 4, 6, 7].includes(orientation);
  const from = new Uint32Array(picture.data.slice().buffer);
  const to = new Uint32Array(w * h);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const sx = swap ? y : x, sy = swap ? x : y;
      to[i] = from[(backY ? h - 1 - sy : sy) * w + (backX ? w - 1 - sx : sx)];
    }
  }
  return { width, height, data: new Uint8Array(to.buffer) };
}

/** Pictures one after the other in one buffer, as the augmentation kernels read them. */
export interface PackedPictures {
  /** RGBA8, one pixel per number with red in the lowest byte. */
  pixels: Uint32Array;
  /** Pixels in use, from 0. */
  usedPixels: number;
  /** Offset in pixels, width, height and 0 of every picture: `[B, 4]`. */
  table: Uint32Array;
}

/**
 * Packs pictures into one buffer.
 *
 * @param pictures Pictures with 4 bytes a pixel.
 * @param pixels A buffer that is large enough; by default a new one of just the size.
 */
export function packPictures(
  pictures: readonly Picture[],
  pixels: Uint32Array = new Uint32Array(
    pictures.reduce((sum, { width, height }) => sum + width * height, 0),
  ),
): PackedPictures {
  const bytes = new Uint8Array(pixels.buffer);
  const table = new Uint32Array(4 * pictures.length);
  let usedPixels = 0;
  pictures.forEach(({ width, height, data }, b) => {
    bytes.set(data, 4 * usedPixels);
    table.set([usedPixels, width, height, 0], 4 * b);
    usedPixels += width * height;
  });
  return { pixels, usedPixels, table };
}
