/**
 * Contact sheets: pictures side by side, numbers above them, as PNG.
 *
 * @module
 */
import { PNG } from "./deps.ts";
import { Buffer } from "node:buffer";
import type { Picture } from "../data/image.ts";

/** Rows of the characters, five bits each; drawn twice as large. */
const GLYPHS: Record<string, readonly number[]> = {
  "0": [14, 17, 19, 21, 25, 17, 14],
  "1": [4, 12, 4, 4, 4, 4, 14],
  "2": [14, 17, 1, 2, 4, 8, 31],
  "3": [31, 2, 4, 2, 1, 17, 14],
  "4": [2, 6, 10, 18, 31, 2, 2],
  "5": [31, 16, 30, 1, 1, 17, 14],
  "6": [6, 8, 16, 30, 17, 17, 14],
  "7": [31, 1, 2, 4, 8, 8, 8],
  "8": [14, 17, 17, 14, 17, 17, 14],
  "9": [14, 17, 17, 15, 1, 2, 12],
  ".": [0, 0, 0, 0, 0, 12, 12],
  "−": [0, 0, 0, 31, 0, 0, 0],
  "%": [24, 25, 2, 4, 8, 19, 3],
  "–": [0, 0, 0, 15, 0, 0, 0],
  " ": [0, 0, 0, 0, 0, 0, 0],
};
const CELL = 12;

/** Height of a line of numbers in pixels. */
export const LINE = 20;

/** Pixels between pictures. */
export const GAP = 8;

type Color = readonly [number, number, number];

/** A white page to put pictures on. */
export class Sheet implements Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(4 * width * height).fill(255);
  }

  /** Puts a picture with its top left corner at a place, each pixel as a square of `zoom` pixels. */
  paste({ width, height, data }: Picture, left: number, top: number, zoom = 1): void {
    for (let y = 0; y < height * zoom; y++) {
      for (let x = 0; x < width * zoom; x++) {
        const from = 4 * (Math.floor(y / zoom) * width + Math.floor(x / zoom));
        this.#dot(left + x, top + y, [data[from], data[from + 1], data[from + 2]]);
      }
    }
  }

  /** Writes numbers, centred at a column. */
  text(text: string, middle: number, top: number): void {
    const left = Math.round(middle - text.length * CELL / 2) + 1;
    [...text].forEach((character, i) => {
      GLYPHS[character].forEach((bits, y) => {
        for (let x = 0; x < 5; x++) {
          if (bits >> (4 - x) & 1) {
            this.box(left + CELL * i + 2 * x, top + 2 * y, 2, 2, [31, 35, 40]);
          }
        }
      });
    });
  }

  /** Fills a box. */
  box(left: number, top: number, width: number, height: number, color: Color): void {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) this.#dot(left + x, top + y, color);
    }
  }

  /** Outlines a box, two pixels thick and inside it. */
  frame(left: number, top: number, width: number, height: number, color: Color): void {
    for (
      const [x, y, w, h] of [
        [left, top, width, 2],
        [left, top + height - 2, width, 2],
        [left, top, 2, height],
        [left + width - 2, top, 2, height],
      ]
    ) this.box(x, y, w, h, color);
  }

  #dot(x: number, y: number, color: Color): void {
    if (x >= 0 && x < this.width && y >= 0 && y < this.height) {
      this.data.set(color, 4 * (y * this.width + x));
    }
  }
}

/** A picture as a PNG file, without alpha, and of one channel where it is gray. */
export function pngOf({ width, height, data }: Picture): Uint8Array {
  const png = new PNG({ width, height });
  png.data = Buffer.from(data);
  let gray = true;
  for (let i = 0; i < data.length; i += 4) {
    gray &&= data[i] === data[i + 1] && data[i] === data[i + 2];
  }
  const colorType = gray ? 0 : 2;
  return PNG.sync.write(png, { colorType, inputHasAlpha: true, deflateLevel: 9, filterType: 4 });
}

/** The picture in a PNG file. */
export function pictureOf(file: Uint8Array): Picture {
  const { width, height, data } = PNG.sync.read(Buffer.from(file));
  return { width, height, data: new Uint8Array(data) };
}
