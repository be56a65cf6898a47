/**
 * Pictures as text that a page can hold.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { PNG } from "./deps.ts";
import { type Picture, planesOf } from "../data/image.ts";

/** Colour types of PNG. */
const GRAY = 0, RGB = 2;

/**
 * PNG data URIs of a picture, one per plane of three channels: a plane of one channel is gray, of two red and
 * green.
 */
export function dataUris({ width, height, channels = 3, data }: Picture): string[] {
  return Array.from({ length: planesOf(channels) }, (_, plane) => {
    const pixels = 4 * width * height;
    const rgba = data.slice(plane * pixels, (plane + 1) * pixels);
    const gray = channels - 3 * plane === 1;
    if (gray) { for (let i = 0; i < pixels; i += 4) rgba.fill(rgba[i], i, i + 3); }
    const bytes: Uint8Array = PNG.sync.write(
      { width, height, data: Buffer.from(rgba.buffer) },
      { colorType: gray ? GRAY : RGB },
    );
    return `data:image/png;base64,${bytes.toBase64()}`;
  });
}
