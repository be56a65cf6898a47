/**
 * PNG files and data URIs of a run, taken only when they are pictures.
 *
 * @module
 */
import type { Picture } from "../data/image.ts";
import { readHeader } from "../data/header.ts";
import { readFile } from "../io/files.ts";
import { pictureOf, pngOf, Sheet } from "../draw/canvas.ts";

/** Bytes of a file, and pixels of a picture: many times what a run writes. */
const BYTES = 8 << 20, PIXELS = 16e6;

/** Where the header says how rows are ordered; runs write no interlaced files, whose size cannot be foretold. */
const INTERLACE = 28;

/** The picture in a PNG file; undefined where it is none, or larger than a run writes. */
export function pngPicture(file: Uint8Array): Picture | undefined {
  try {
    const header = readHeader(file, true);
    if (header?.format !== "PNG" || header.width * header.height > PIXELS) return undefined;
    return file[INTERLACE] === 0 ? pictureOf(file) : undefined;
  } catch {
    return undefined;
  }
}

/** The PNG file at a path, when it is a picture; undefined where it is not, or there is none. */
export async function readPng(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const file = await readFile(path, { maxBytes: BYTES }).catch(() => undefined);
  return file && pngPicture(file) ? file : undefined;
}

/** A PNG file as text that a page can hold. */
export function pngUri(file: Uint8Array): string {
  return `data:image/png;base64,${file.toBase64()}`;
}

/** Whether a text is a PNG as {@linkcode pngUri} writes it. */
export function isPngUri(uri: string): boolean {
  const [, text] = uri.match(/^data:image\/png;base64,([\w+/=]*)$/) ?? [];
  if (!text || text.length > 2 * BYTES) return false;
  try {
    return pngPicture(Uint8Array.fromBase64(text)) !== undefined;
  } catch {
    return false;
  }
}

/** The gap between the pictures of a snapshot, in pixels, and how many there can be. */
const SNAPSHOT_GAP = 4, MOST_TILES = 64;

/**
 * A snapshot of attention as a row of square pictures. Runs of older versions have written columns, which are laid
 * down here.
 */
export async function readSnapshot(path: string): Promise<Uint8Array | undefined> {
  const file = await readFile(path, { maxBytes: BYTES }).catch(() => undefined);
  const picture = file && pngPicture(file);
  if (!picture) return undefined;
  const { width: side, height, data } = picture, apart = side + SNAPSHOT_GAP;
  const tiles = (height + SNAPSHOT_GAP) / apart;
  if (tiles === 1 || tiles > MOST_TILES || !Number.isInteger(tiles)) return file;
  return pngOf(snapshotRow(Array.from({ length: tiles }, (_, i) => {
    const from = 4 * side * i * apart;
    return { width: side, height: side, data: data.subarray(from, from + 4 * side * side) };
  })));
}

/** Square pictures of one size side by side. */
export function snapshotRow(pictures: readonly Picture[]): Sheet {
  const side = pictures[0].width, apart = side + SNAPSHOT_GAP;
  const sheet = new Sheet(pictures.length * apart - SNAPSHOT_GAP, side);
  pictures.forEach((picture, i) => sheet.paste(picture, i * apart, 0));
  return sheet;
}
