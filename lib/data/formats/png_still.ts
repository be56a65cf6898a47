/**
 * PNG as the decoder should get it: the still picture, and as plain as can be where the decoder is stricter than
 * the format.
 *
 * Source: W3C PNG, third edition, 7.2, 8.1, 10.2 and 13.
 *
 * @module
 */

import { builtin } from "../../io/builtin.ts";
import { crc32 } from "../../io/digests.ts";
import { viewOf } from "./bytes.ts";
import { type Chunk, chunks, isSound } from "./png.ts";

type Zlib = typeof import("node:zlib");

/** The chunks of an animation, whose still picture is that of a PNG without them. */
const ANIMATION = ["acTL", "fcTL", "fdAT"];

/** The chunks that make the pixels, beside the compressed rows and the end. */
const PIXELS = ["IHDR", "PLTE", "tRNS"];

/** Most bytes of rows that are decompressed for a second try. */
const MOST_BYTES = 2 ** 29;

/**
 * The file without its animation: the decoder would show a frame of that, or stumble over it.
 *
 * @param file A file that `pngSize` has accepted.
 * @returns `file` itself when it has none.
 */
export function stillPng(file: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = [file.subarray(0, 8)];
  let length = 8, animated = false;
  for (const { type, bytes } of chunks(file)) {
    if (ANIMATION.includes(type)) {
      animated = true;
      continue;
    }
    kept.push(bytes);
    length += bytes.length;
  }
  return animated ? concat(kept, length) : file;
}

/**
 * A PNG of the same pixels for a decoder that has refused it: nothing but its pixels, and just as many rows as it
 * states. Rows that nobody asked for, bytes behind the compressed data and damage in chunks that have to do with
 * neither keep no reader from showing it.
 *
 * @param file A file that `pngSize` has accepted.
 * @returns undefined when there are too few rows, or damage where the pixels are; in a page, which has no zlib, always.
 */
export function plainPng(file: Uint8Array): Uint8Array | undefined {
  const found = [...chunks(file)];
  const rows = found.filter(({ type }) => type === "IDAT");
  const pixels = found.filter(({ type }) => PIXELS.includes(type));
  if (rows.length === 0 || ![...rows, ...pixels].every(isSound)) return;
  const zlib = builtin<Zlib>("node:zlib");
  const raw = zlib && inflateRows(zlib, rows, rowBytes(file));
  if (!raw) return;
  const data = zlib.deflateSync(raw, { level: 0 });
  const parts = [
    file.subarray(0, 8),
    ...pixels.map(({ bytes }) => bytes),
    chunkOf("IDAT", data),
    chunkOf("IEND", new Uint8Array()),
  ];
  return concat(parts, parts.reduce((sum, part) => sum + part.length, 0));
}

/** Exactly the rows that are due, if they are there. As many bytes again are passed over, not more. */
function inflateRows(
  { constants, inflateSync }: Zlib,
  chunks: readonly Chunk[],
  due: number,
): Uint8Array | undefined {
  if (due > MOST_BYTES) return;
  const data = concat(
    chunks.map(({ data }) => data),
    chunks.reduce((sum, { data }) => sum + data.length, 0),
  );
  try {
    // The checksum at the end may be missing, a wrong one is damage.
    const options = { maxOutputLength: 2 * due + 1024, finishFlush: constants.Z_SYNC_FLUSH };
    const raw = inflateSync(data, options);
    return raw.length >= due ? raw.subarray(0, due) : undefined;
  } catch {
    return undefined;
  }
}

/** First column and row, and distance of columns and rows, in the passes of Adam7. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** Bytes of all rows, each with its filter, by the header. */
function rowBytes(file: Uint8Array): number {
  const view = viewOf(file), width = view.getUint32(16), height = view.getUint32(20);
  const bits = file[24] * [1, 0, 3, 1, 2, 0, 4][file[25]];
  return (file[28] ? ADAM7 : [[0, 0, 1, 1]]).reduce((sum, [x, y, across, down]) => {
    const columns = Math.ceil((width - x) / across), rows = Math.ceil((height - y) / down);
    return columns > 0 && rows > 0 ? sum + rows * (1 + Math.ceil(columns * bits / 8)) : sum;
  }, 0);
}

function chunkOf(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12), view = viewOf(bytes);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
