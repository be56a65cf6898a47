/**
 * A picture's signature: what is left of it at 32 × 32, by which copies of it are found.
 *
 * @module
 */
import type { Picture } from "../data/image.ts";
import { resizeBicubic } from "../data/resample.ts";

/** Side of the luma. */
export const LUMA = 32;

/** Side of either chroma. */
export const CHROMA = 8;

/** Bytes of a signature: luma, then Cb and Cr, row by row. */
export const SIGNATURE_BYTES = LUMA * LUMA + 2 * CHROMA * CHROMA;

/** Counts up when a signature of the same picture becomes another one. */
export const SIGNATURE_VERSION = 1;

/** The signature of a colour picture: its shape is given up, squares become of all. */
export function signatureOf(picture: Picture): Uint8Array {
  const out = new Uint8Array(SIGNATURE_BYTES);
  const large = resizeBicubic(picture, LUMA, LUMA).data;
  out.set(smooth(Float32Array.from({ length: LUMA * LUMA }, (_, i) => {
    return 0.299 * large[4 * i] + 0.587 * large[4 * i + 1] + 0.114 * large[4 * i + 2];
  })));
  const small = resizeBicubic({ width: LUMA, height: LUMA, data: large }, CHROMA, CHROMA).data;
  const cb = LUMA * LUMA, cr = cb + CHROMA * CHROMA;
  for (let i = 0; i < CHROMA * CHROMA; i++) {
    const [r, g, b] = small.subarray(4 * i, 4 * i + 3);
    out[cb + i] = clamp(128 - 0.168736 * r - 0.331264 * g + 0.5 * b);
    out[cr + i] = clamp(128 + 0.5 * r - 0.418688 * g - 0.081312 * b);
  }
  return out;
}

/** A small blur, so that parts of a picture are alike wherever the grid falls on them. */
function smooth(luma: Float32Array): Uint8Array {
  const pass = (from: Float32Array, step: number) =>
    from.map((x, i) => {
      const place = step === 1 ? i % LUMA : Math.floor(i / LUMA);
      const before = place > 0 ? from[i - step] : x, after = place < LUMA - 1 ? from[i + step] : x;
      return (before + 2 * x + after) / 4;
    });
  return Uint8Array.from(pass(pass(luma, 1), LUMA), Math.round);
}

function clamp(x: number): number {
  return Math.max(0, Math.min(255, Math.round(x)));
}
