/**
 * Many small pictures in few PNG files.
 *
 * @module
 */
import type { Picture } from "../data/image.ts";
import { pngOf } from "./canvas.ts";

/** Widest and highest sheet that browsers keep on the GPU everywhere. */
const MOST = 2048;

/** Sheets of thumbnails. */
export interface Sprites {
  /** Side of a thumbnail. */
  size: number;
  /** Thumbnails in a row. */
  columns: number;
  /** Thumbnails on a sheet but for the last. */
  perSheet: number;
  /** Data URIs. */
  sheets: string[];
}

/** Puts square pictures of one size on sheets, row by row. */
export function spriteSheets(pictures: readonly Picture[], size: number): Sprites {
  const columns = Math.max(1, Math.floor(MOST / size)), perSheet = columns ** 2;
  const sheets: string[] = [];
  for (let from = 0; from < pictures.length; from += perSheet) {
    const own = pictures.slice(from, from + perSheet);
    const width = size * Math.min(columns, own.length);
    const height = size * Math.ceil(own.length / columns);
    const data = new Uint8Array(4 * width * height).fill(255);
    own.forEach((picture, i) => {
      const left = size * (i % columns), top = size * Math.floor(i / columns);
      for (let y = 0; y < size; y++) {
        const row = picture.data.subarray(4 * size * y, 4 * size * (y + 1));
        data.set(row, 4 * ((top + y) * width + left));
      }
    });
    sheets.push(`data:image/png;base64,${pngOf({ width, height, data }).toBase64()}`);
  }
  return { size, columns, perSheet, sheets };
}
