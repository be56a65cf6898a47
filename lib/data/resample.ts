/**
 * Antialiased bicubic reduction of pictures, byte-equal to Pillow's `Image.resize(size, BICUBIC)`.
 *
 * Source of the formulas: Pillow's resampling (a = −0.5 cubic of Keys 1981, support widened by the scale
 * when shrinking, weights in 22-bit fixed point, rows of u8 between the two passes). Integer arithmetic
 * throughout: the same bytes on any machine.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { type Picture, planesOf } from "./image.ts";

/** Fraction bits of the weights: 255 · Σ|w| · 2^22 still fits a signed 32-bit sum. */
const PRECISION = 22;

/** Keys' cubic convolution kernel with a = −0.5; torch uses −0.75. */
function cubic(x: number): number {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** Which inputs an output reads, and how much of each. */
export interface AxisWeights {
  /** First input of every output, `[nOut]`. */
  start: Uint32Array;
  /** Number of inputs of every output, `[nOut]`. */
  count: Uint32Array;
  /** Weights times 2^22, `[nOut, taps]`; unused places are 0. */
  weights: Int32Array;
  /** Row length of `weights`. */
  taps: number;
}

/**
 * Bicubic weights along one axis.
 *
 * @param nIn Input length, at least 1.
 * @param nOut Output length, at least 1.
 */
export function bicubicWeights(nIn: number, nOut: number): AxisWeights {
  const step = nIn / nOut;
  const stretch = Math.max(step, 1); // the kernel widens when shrinking: that is the antialiasing
  const support = 2 * stretch;
  const taps = Math.ceil(support) * 2 + 1;
  const start = new Uint32Array(nOut), count = new Uint32Array(nOut);
  const weights = new Int32Array(nOut * taps);
  const row = new Float64Array(taps);
  for (let o = 0; o < nOut; o++) {
    const mid = (o + 0.5) * step;
    const lo = Math.max(Math.trunc(mid - support + 0.5), 0);
    const hi = Math.min(Math.trunc(mid + support + 0.5), nIn);
    let total = 0;
    for (let x = lo; x < hi; x++) total += row[x - lo] = cubic((x - mid + 0.5) / stretch);
    start[o] = lo;
    count[o] = hi - lo;
    for (let k = 0; k < hi - lo; k++) {
      const w = row[k] / total * 2 ** PRECISION;
      weights[o * taps + k] = Math.trunc(w + (w < 0 ? -0.5 : 0.5));
    }
  }
  return { start, count, weights, taps };
}

/** Half of the divisor: rounds. */
const HALF = 1 << (PRECISION - 1);

function clip8(sum: number): number {
  const v = sum >> PRECISION;
  return v < 0 ? 0 : v > 255 ? 255 : v;
}

/** Sums of red, green and blue to a pixel with alpha 255. */
function pixel(red: number, green: number, blue: number): number {
  return clip8(red) | clip8(green) << 8 | clip8(blue) << 16 | 0xff000000;
}

/**
 * Resamples along one axis of pixels `[outer, n, inner]`; alpha becomes 255. Columns: inner = 1, outer =
 * rows. Rows: outer = planes, inner = width. Two outputs at a time share their weights.
 */
function resizeAxis(from: Int32Array, outer: number, nIn: number, inner: number, nOut: number) {
  const { start, count, weights, taps } = bicubicWeights(nIn, nOut);
  const out = new Int32Array(outer * nOut * inner);
  const pair = (o: number, at1: number, at2: number, to1: number, to2: number) => {
    let r1 = HALF, g1 = HALF, b1 = HALF, r2 = HALF, g2 = HALF, b2 = HALF;
    for (let k = o * taps, end = k + count[o]; k < end; k++, at1 += inner, at2 += inner) {
      const w = weights[k], p1 = from[at1], p2 = from[at2];
      r1 = (r1 + Math.imul(w, p1 & 255)) | 0;
      g1 = (g1 + Math.imul(w, (p1 >> 8) & 255)) | 0;
      b1 = (b1 + Math.imul(w, (p1 >> 16) & 255)) | 0;
      r2 = (r2 + Math.imul(w, p2 & 255)) | 0;
      g2 = (g2 + Math.imul(w, (p2 >> 8) & 255)) | 0;
      b2 = (b2 + Math.imul(w, (p2 >> 16) & 255)) | 0;
    }
    out[to1] = pixel(r1, g1, b1);
    out[to2] = pixel(r2, g2, b2);
  };
  // An odd number of lines: the last one twice.
  if (inner === 1) {
    for (let p = 0; p < outer; p += 2) {
      const q = Math.min(p + 1, outer - 1);
      for (let o = 0; o < nOut; o++) {
        pair(o, p * nIn + start[o], q * nIn + start[o], p * nOut + o, q * nOut + o);
      }
    }
    return out;
  }
  for (let p = 0; p < outer; p++) {
    for (let o = 0; o < nOut; o++) {
      const at = (p * nIn + start[o]) * inner, to = (p * nOut + o) * inner;
      for (let x = 0; x < inner; x += 2) {
        const y = Math.min(x + 1, inner - 1);
        pair(o, at + x, at + y, to + x, to + y);
      }
    }
  }
  return out;
}

/** RGBA8 as one number a pixel with red in the lowest byte. */
function words(data: Uint8Array): Int32Array {
  const { buffer, byteOffset, length } = data.byteOffset % 4 === 0 ? data : data.slice();
  return new Int32Array(buffer, byteOffset, length / 4);
}

/**
 * Resizes a picture: columns first, then rows; an axis that keeps its length is left alone.
 *
 * @param picture Picture of any size and number of channels; each is resized by itself.
 * @param width New width, at least 1.
 * @param height New height, at least 1.
 * @returns A new picture, or `picture` itself when nothing changes.
 * @throws {HatchlingError} when a size is not a positive integer.
 *
 * @example
 * ```ts
 * import { resizeBicubic } from "./resample.ts";
 *
 * const grey = { width: 4, height: 2, data: new Uint8Array(32).fill(255) };
 * console.assert(resizeBicubic(grey, 2, 1).data[0] === 255);
 * ```
 */
export function resizeBicubic(picture: Picture, width: number, height: number): Picture {
  for (const n of [width, height]) {
    if (!Number.isInteger(n) || n < 1) {
      throw new HatchlingError(
        `Expected a size of at least 1 × 1 pixels, found ${width} × ${height}`,
      );
    }
  }
  if (width === picture.width && height === picture.height) return picture;
  const planes = planesOf(picture.channels ?? 3);
  let pixels = words(picture.data);
  if (width !== picture.width) { // planes follow one another: to the columns they are more rows
    pixels = resizeAxis(pixels, planes * picture.height, picture.width, 1, width);
  }
  if (height !== picture.height) {
    pixels = resizeAxis(pixels, planes, picture.height, width, height);
  }
  return { ...picture, width, height, data: new Uint8Array(pixels.buffer) };
}

/**
 * The largest size of the same aspect ratio that has at most `maxPixels` pixels, both sides rounded down
 * and at least 1. Exchanging width and height exchanges the result.
 *
 * @param width Columns, at least 1.
 * @param height Rows, at least 1.
 * @param maxPixels Limit for width × height, at least 1; may be `Infinity`.
 */
export function fitWithin(
  width: number,
  height: number,
  maxPixels: number,
): { width: number; height: number } {
  if (width * height <= maxPixels) return { width, height };
  const scale = Math.sqrt(maxPixels / (width * height));
  // A strip thinner than one pixel keeps that pixel; its long side then takes the whole budget.
  const w = Math.max(1, Math.floor(width * scale)), h = Math.max(1, Math.floor(height * scale));
  return {
    width: Math.min(w, Math.max(1, Math.floor(maxPixels / h))),
    height: Math.min(h, Math.max(1, Math.floor(maxPixels / w))),
  };
}

/**
 * A picture of at most `maxPixels` pixels, antialiased, which knows its size from before.
 *
 * @param picture Any picture.
 * @param maxPixels Limit for width × height, at least 1; may be `Infinity`.
 * @returns `picture` itself where it is small enough.
 */
export function reduceTo(picture: Picture, maxPixels: number): Picture {
  const { width, height, original = { width, height } } = picture;
  if (width * height <= maxPixels) return picture;
  const size = fitWithin(width, height, maxPixels);
  return { ...resizeBicubic(picture, size.width, size.height), original };
}
