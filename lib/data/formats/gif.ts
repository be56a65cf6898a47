/**
 * GIF files: the size that the first frame needs, and its pixels.
 *
 * Source: GIF89a, 18 to 26.
 *
 * @module
 */

import { HatchlingError } from "../../errors.ts";
import { type Size, viewOf } from "./bytes.ts";
import { lzwDecode } from "./lzw.ts";

const EXTENSION = 0x21, GRAPHIC_CONTROL = 0xf9, IMAGE = 0x2c, TRAILER = 0x3b;

/** Bytes of a colour table by its packed field; 0 when there is none. */
function tableBytes(packed: number): number {
  return packed & 0x80 ? 3 << (packed & 7) + 1 : 0;
}

/** The blocks before the first frame. */
interface Preamble {
  /** Where the first frame's descriptor is; beyond the end of a file that is cut off. */
  frame: number;
  /** Colour that is transparent, if any. */
  transparent?: number;
}

/**
 * Passes over extensions, known or not; of graphic controls the last counts, and what they hold beside their four
 * bytes does not. Stray ends of blocks, which some programs write, mean nothing.
 */
function readPreamble(bytes: Uint8Array): Preamble {
  let at = 13 + tableBytes(bytes[10]), transparent: number | undefined;
  while (bytes[at] === EXTENSION || bytes[at] === 0) {
    if (bytes[at] === 0) {
      at++;
      continue;
    }
    if (bytes[at + 1] === GRAPHIC_CONTROL && bytes[at + 2] >= 4) {
      transparent = bytes[at + 3] & 1 ? bytes[at + 6] : undefined;
    }
    for (at += 2; bytes[at] > 0; at += 1 + bytes[at]);
    at++;
  }
  return { frame: at, transparent };
}

/**
 * Size of a GIF: its logical screen, made larger where its first frame sticks out, as browsers and Pillow
 * do.
 *
 * @param bytes The file, or its beginning.
 * @returns The size, or undefined when `bytes` end before the first frame.
 * @throws {HatchlingError} when the file holds no frame.
 */
export function gifSize(bytes: Uint8Array): Size | undefined {
  if (bytes.length < 13) return;
  const { frame: at } = readPreamble(bytes);
  if (at >= bytes.length) return;
  if (bytes[at] !== IMAGE) {
    throw new HatchlingError(
      `damaged GIF: expected its first frame at byte ${at} but found 0x${bytes[at].toString(16)}` +
        (bytes[at] === TRAILER ? ", the end of the file" : ""),
    );
  }
  if (at + 9 > bytes.length) return;
  const { x, y, width, height } = placeOf(bytes, at);
  if (width === 0 || height === 0) {
    throw new HatchlingError(`damaged GIF: the size of its first frame is ${width} × ${height}`);
  }
  const view = viewOf(bytes);
  return {
    width: Math.max(view.getUint16(6, true), x + width),
    height: Math.max(view.getUint16(8, true), y + height),
  };
}

/** Where a frame lies on the screen, by its descriptor. */
function placeOf(bytes: Uint8Array, at: number): Size & { x: number; y: number } {
  const view = viewOf(bytes);
  const [x, y, width, height] = [1, 3, 5, 7].map((skip) => view.getUint16(at + skip, true));
  return { x, y, width, height };
}

/** First row and distance of rows in the four passes of an interlaced frame. */
const PASSES = [[0, 8], [4, 8], [2, 4], [1, 2]];

/** A frame and where it lies. */
export interface GifFrame extends Size {
  /** Column of its left edge on the screen. */
  x: number;
  /** Row of its upper edge. */
  y: number;
  /** RGBA8 with straight alpha, row by row. */
  buffer: Uint8Array;
}

/**
 * Decodes the first frame. A colour that the table lacks is black, as Pillow has it.
 *
 * @param file A file that {@linkcode gifSize} has accepted: it bounds what is allocated here.
 * @throws {Error} saying what is wrong with its data.
 */
export function gifFrame(file: Uint8Array): GifFrame {
  const { frame, transparent } = readPreamble(file);
  const place = placeOf(file, frame), { width, height } = place, packed = file[frame + 9];
  const local = tableBytes(packed), global = tableBytes(file[10]);
  if (local + global === 0) throw new Error("no colours");
  const from = local ? frame + 10 : 13;
  const table = file.subarray(from, from + (local || global));
  const colours = new Int32Array(256).fill(0xff << 24); // red in the lowest byte
  for (let i = 0; 3 * i + 2 < table.length; i++) {
    colours[i] |= table[3 * i] | table[3 * i + 1] << 8 | table[3 * i + 2] << 16;
  }
  if (transparent !== undefined) colours[transparent] &= 0xffffff;
  const at = frame + 10 + local;
  const values = lzwDecode(dataOf(file, at + 1), file[at], width * height);
  const pixels = new Int32Array(values.length);
  const interlaced = (packed & 0x40) !== 0;
  let row = 0;
  for (const [first, step] of interlaced ? PASSES : [[0, 1]]) {
    for (let y = first; y < height; y += step, row++) {
      for (let x = 0; x < width; x++) pixels[y * width + x] = colours[values[row * width + x]];
    }
  }
  return { ...place, buffer: new Uint8Array(pixels.buffer) };
}

/** The contents of blocks that follow one another, up to the empty one or the end of the file. */
function dataOf(file: Uint8Array, from: number): Uint8Array {
  const data = new Uint8Array(Math.max(0, file.length - from));
  let length = 0;
  for (let at = from; file[at] > 0; at += 1 + file[at]) {
    const block = file.subarray(at + 1, at + 1 + file[at]);
    data.set(block, length);
    length += block.length;
  }
  return data.subarray(0, length);
}

/**
 * What is wrong with a GIF that could not be decoded, in words.
 *
 * @param file A file that {@linkcode gifSize} has accepted.
 */
export function gifFault(file: Uint8Array): string {
  return file.at(-1) === TRAILER
    ? "the data of its first frame are damaged"
    : "the data of its first frame are damaged or end too soon: it has no end marker";
}
