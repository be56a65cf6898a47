/**
 * A labelled test from a few large pictures: each is cut into tiles, which are pictures of one scene.
 *
 * @module
 */
import { basename, dirname, extname, join } from "node:path";
import type { Picture } from "../../lib/data/image.ts";

/** Side of a tile in pixels, and most of them from top to bottom. */
export const TILE = 128, ROWS = 4;

/** Pixels that a picture is reduced to: four tiles high at 16 : 9. */
export const PIXELS = Math.ceil((ROWS * TILE) ** 2 * 16 / 9);

/** Spread of the levels of a tile, below which there is nothing on it. */
const FLAT = 8;

/** A tile and where it lies. */
export interface Tile {
  row: number;
  column: number;
  picture: Picture;
}

/** Part of a picture. */
export function crop(
  { data, width: from, channels }: Picture,
  { left, top, width, height }: { left: number; top: number; width: number; height: number },
): Picture {
  const part = new Uint8Array(4 * width * height);
  for (let y = 0; y < height; y++) {
    const at = 4 * ((top + y) * from + left);
    part.set(data.subarray(at, at + 4 * width), 4 * y * width);
  }
  return { width, height, channels, data: part };
}

/** The tiles of a picture, in its middle; those with nothing on them are left out. */
export function tilesOf(picture: Picture): Tile[] {
  const { width, height } = picture;
  const rows = Math.min(ROWS, Math.floor(height / TILE)), columns = Math.floor(width / TILE);
  if (rows < 2 || columns < 2) return [];
  const [left, top] = [width - columns * TILE, height - rows * TILE].map((rest) => rest >> 1);
  return Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const place = { left: left + column * TILE, top: top + row * TILE, width: TILE, height: TILE };
    return { row, column, picture: crop(picture, place) };
  }).filter(({ picture }) => spreadOf(picture) >= FLAT);
}

/** Standard deviation of all levels, about the mean of each channel. */
function spreadOf({ data }: Picture): number {
  const n = data.length / 4;
  let variance = 0;
  for (let c = 0; c < 3; c++) {
    let sum = 0, squares = 0;
    for (let i = c; i < data.length; i += 4) {
      sum += data[i];
      squares += data[i] ** 2;
    }
    variance += (squares / n - (sum / n) ** 2) / 3;
  }
  return Math.sqrt(variance);
}

/** What wallpaper packages hold beside the pictures themselves. */
const BESIDE = /preview|screenshot|thumb|logo|plymouth|grub|dark|-d\.\w+$/i;

/**
 * One file of each picture: of several resolutions (1920x1080.jpg, Dune_3840x2160.jpg) the largest, and none of the
 * variants for dark desktops, previews and logos.
 *
 * @param files Paths with their bytes.
 */
export function onePerPicture(files: Iterable<readonly [path: string, bytes: number]>): string[] {
  const best = new Map<string, readonly [string, number]>();
  for (const file of files) {
    const [path, bytes] = file;
    if (BESIDE.test(path) || !/\.(jpe?g|png|webp)$/i.test(path)) continue;
    const name = basename(path, extname(path)).replace(/[_-]?\d{3,5}x\d{3,5}$/, "");
    const key = join(dirname(path), name);
    if ((best.get(key)?.[1] ?? 0) < bytes) best.set(key, file);
  }
  return [...best.values()].map(([path]) => path).sort();
}

/** All files below a folder with their bytes; links are not followed. */
export async function* filesBelow(folder: string): AsyncGenerator<readonly [string, number]> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* filesBelow(path);
    else if (isFile) yield [path, (await Deno.stat(path)).size];
  }
}
