/**
 * Colour maps whose steps look equal, and colours laid over pictures.
 *
 * @module
 */
import { luma, type Picture } from "../data/image.ts";

/** Nine colours of each map, evenly spaced from 0 to 1. */
const MAPS = {
  inferno: "000004 210c4a 57106e 8a226a bc3754 e35933 f98c0a f9c932 fcffa4",
  viridis: "440154 472d7b 3b528b 2c728e 21918c 27ad81 5cc863 aadc32 fde725",
} as const;

/** Names of the maps. */
export type ColorMap = keyof typeof MAPS;

/** All of them. */
export const COLOR_MAPS = Object.keys(MAPS) as ColorMap[];

/** Red, green and blue from 0 to 255 of a value from 0 to 1; what lies outside gets the ends' colours. */
export function colorOf(map: ColorMap, value: number): [number, number, number] {
  const stops = MAPS[map].split(" ").map((hex) =>
    [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16))
  );
  const place = Math.min(1, Math.max(0, value)) * (stops.length - 1);
  const from = Math.min(stops.length - 2, Math.floor(place));
  const [r, g, b] = [0, 1, 2].map((c) => {
    return stops[from][c] + (place - from) * (stops[from + 1][c] - stops[from][c]);
  });
  return [r, g, b];
}

/** Values of a grid at every pixel of a picture. */
export type Field = (x: number, y: number) => number;

/** A grid's values over a picture: constant within each patch, or bilinear between their centres. */
export function fieldOf(
  values: ArrayLike<number>,
  [rows, columns]: readonly [number, number],
  { width, height }: { width: number; height: number },
  smooth: boolean,
): Field {
  const inside = (i: number, n: number) => Math.min(n - 1, Math.max(0, i));
  if (!smooth) {
    return (x, y) =>
      values[Math.floor(y * rows / height) * columns + Math.floor(x * columns / width)];
  }
  return (x, y) => {
    const u = (x + 0.5) * columns / width - 0.5, v = (y + 0.5) * rows / height - 0.5;
    const [left, top] = [Math.floor(u), Math.floor(v)];
    const at = (i: number, j: number) => values[inside(j, rows) * columns + inside(i, columns)];
    const row = (j: number) => at(left, j) + (u - left) * (at(left + 1, j) - at(left, j));
    return row(top) + (v - top) * (row(top + 1) - row(top));
  };
}

/** A new picture of three channels, pixel by pixel from another's. */
function mapped(
  { width, height }: { width: number; height: number },
  color: (at: number, x: number, y: number) => readonly number[],
): Picture {
  const out = new Uint8Array(4 * width * height).fill(255);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 4) {
      color(at, x, y).forEach((value, c) => {
        out[at + c] = Math.round(Math.min(255, Math.max(0, value)));
      });
    }
  }
  return { width, height, data: out };
}

/**
 * A colour map's colours over the gray picture.
 *
 * @param field Values from 0 to 1.
 * @param alpha Weight of the colours where the value is 1, in [0, 1]; a third of it where it is 0.
 */
export function overlay(picture: Picture, field: Field, map: ColorMap, alpha: number): Picture {
  const table = Array.from({ length: 256 }, (_, i) => colorOf(map, i / 255));
  const { data } = picture;
  return mapped(picture, (at, x, y) => {
    const value = Math.min(1, Math.max(0, field(x, y)));
    const gray = luma(data[at], data[at + 1], data[at + 2]);
    const weight = alpha * (1 + 2 * value) / 3;
    return table[Math.round(255 * value)].map((c) => gray + weight * (c - gray));
  });
}

/** Outlines what is kept. */
const OUTLINE = [255, 214, 10] as const;

/** The picture where the field is 1; dark and gray elsewhere, with a line between. */
export function spotlight(picture: Picture, field: Field): Picture {
  const { width, height, data } = picture;
  const thick = Math.max(1, Math.round(Math.max(width, height) / 240));
  const kept = (x: number, y: number) => field(x, y) >= 0.5;
  return mapped(picture, (at, x, y) => {
    const own = [data[at], data[at + 1], data[at + 2]];
    if (!kept(x, y)) return Array(3).fill(0.3 * luma(data[at], data[at + 1], data[at + 2]));
    for (const [dx, dy] of [[thick, 0], [-thick, 0], [0, thick], [0, -thick]]) {
      const [i, j] = [x + dx, y + dy];
      if (i >= 0 && i < width && j >= 0 && j < height && !kept(i, j)) return OUTLINE;
    }
    return own;
  });
}

/** Fields from 0 to 1 for red, green and blue as a picture. */
export function colored(
  size: { width: number; height: number },
  fields: readonly Field[],
): Picture {
  return mapped(size, (_, x, y) => fields.map((field) => 255 * field(x, y)));
}
