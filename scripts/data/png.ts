/**
 * Pictures as text that a page can hold.
 *
 * @module
 */
import { encode } from "fast-png";
import { type Picture, planesOf } from "../../lib/data/image.ts";

/**
 * PNG data URIs of a picture, one per plane of three channels: a plane of one channel is gray, of two red and
 * green.
 */
export function dataUris({ width, height, channels = 3, data }: Picture): string[] {
  return Array.from({ length: planesOf(channels) }, (_, plane) => {
    const kept = channels - 3 * plane === 1 ? 1 : 3;
    const levels = new Uint8Array(kept * width * height);
    for (let i = 0, from = 4 * width * height * plane; i < levels.length; i += kept, from += 4) {
      for (let c = 0; c < kept; c++) levels[i + c] = data[from + c];
    }
    const png = encode({ width, height, data: levels, channels: kept, depth: 8 });
    return `data:image/png;base64,${png.toBase64()}`;
  });
}
