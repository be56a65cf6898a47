/**
 * Structure of WebP files: size, EXIF, and the first frame as a file of its own.
 *
 * Sources: RFC 9649 (WebP), 2; RFC 6386 (VP8), 9.1.
 *
 * @module
 */

import { HatchlingError } from "../../errors.ts";
import { ascii, type Size, uint24, viewOf } from "./bytes.ts";

/** Flags of VP8X. */
const ANIMATION = 0x02, EXIF = 0x08, ALPHA = 0x10;

/** Bytes before the first chunk: "RIFF", a length, "WEBP". */
const RIFF_HEADER = 12;

/** A chunk; `data` is shorter than stated when the file is cut off. */
interface Chunk {
  type: string;
  data: Uint8Array;
  /** From its type to its padding. */
  whole: Uint8Array;
}

function damaged(what: string): HatchlingError {
  return new HatchlingError(`damaged WebP: ${what}`);
}

const show = ({ width, height }: Size) => `${width} × ${height}`;

function* chunks(bytes: Uint8Array, from: number): Generator<Chunk> {
  const view = viewOf(bytes);
  for (let at = from; at + 8 <= bytes.length;) {
    const length = view.getUint32(at + 4, true), end = at + 8 + length + (length & 1);
    yield {
      type: ascii(bytes, at, 4),
      data: bytes.subarray(at + 8, at + 8 + length),
      whole: bytes.subarray(at, end),
    };
    at = end;
  }
}

/** Size that the compressed data state; undefined when they are cut off before it. */
function bitstreamSize({ type, data }: Chunk): Size | undefined {
  const lossless = type === "VP8L";
  if (data.length < (lossless ? 5 : 10)) return;
  if (lossless ? data[0] !== 0x2f : ascii(data, 3, 3) !== "\x9d\x01\x2a") {
    throw damaged(`its ${type.trim()} data do not start as they should`);
  }
  const view = viewOf(data);
  if (!lossless) {
    // The two upper bits are a hint for enlarging.
    return { width: view.getUint16(6, true) & 0x3fff, height: view.getUint16(8, true) & 0x3fff };
  }
  const bits = view.getUint32(1, true);
  return { width: (bits & 0x3fff) + 1, height: (bits >>> 14 & 0x3fff) + 1 };
}

const isBitstream = ({ type }: Chunk) => type === "VP8 " || type === "VP8L";

/**
 * Size of a WebP: of the canvas where it has one.
 *
 * @param bytes The file, or its beginning.
 * @returns The size, or undefined when `bytes` end before it.
 * @throws {HatchlingError} when the file starts with something else.
 */
export function webpSize(bytes: Uint8Array): Size | undefined {
  const [first] = chunks(bytes, RIFF_HEADER);
  if (!first) return;
  if (isBitstream(first)) return bitstreamSize(first);
  if (first.type !== "VP8X") {
    throw damaged(`expected VP8, VP8L or VP8X first but found ${JSON.stringify(first.type)}`);
  }
  if (first.data.length < 10) return;
  return { width: uint24(first.data, 4) + 1, height: uint24(first.data, 7) + 1 };
}

/** The file up to where it says it ends: what follows is none of its business. */
function contents(file: Uint8Array): Uint8Array {
  const end = 8 + viewOf(file).getUint32(4, true);
  if (end < RIFF_HEADER + 8) throw damaged(`it states a length of ${end} bytes`);
  if (end > file.length) {
    throw damaged(`it states ${end} bytes but ends after ${file.length}: it was cut off`);
  }
  return file.subarray(0, end);
}

/**
 * EXIF block of a whole WebP. It comes after the picture, and counts where VP8X announces it.
 *
 * @param file A file that {@linkcode webpSize} has accepted.
 */
export function webpExif(file: Uint8Array): Uint8Array | undefined {
  let announced = false;
  for (const { type, data } of chunks(contents(file), RIFF_HEADER)) {
    if (type === "VP8X") announced = (data[0] & EXIF) !== 0;
    else if (type === "EXIF" && announced) return data;
  }
}

/** A picture without animation, and where it lies on the canvas. */
export interface Still extends Size {
  /** The picture as a WebP file. */
  file: Uint8Array;
  /** Column of its left edge. */
  x: number;
  /** Row of its top edge. */
  y: number;
}

/**
 * The picture, or the first frame of an animation, as a still.
 *
 * @param file A file that {@linkcode webpSize} has accepted.
 * @param canvas What it said.
 * @throws {HatchlingError} when there is none, or when sizes disagree.
 */
export function webpStill(file: Uint8Array, canvas: Size): Still {
  const body = contents(file);
  const all = [...chunks(body, RIFF_HEADER)];
  if ((all[0].data[0] & ANIMATION) === 0 || all[0].type !== "VP8X") {
    const picture = all.find(isBitstream);
    if (!picture) throw damaged("it holds no picture (no VP8 or VP8L chunk)");
    requireSize("its picture", picture, canvas);
    return { file: body, x: 0, y: 0, ...canvas };
  }
  const frame = all.find(({ type }) => type === "ANMF")?.data;
  if (!frame || frame.length < 16) throw damaged("an animation without frames (no ANMF chunk)");
  const x = 2 * uint24(frame, 0), y = 2 * uint24(frame, 3);
  const size = { width: uint24(frame, 6) + 1, height: uint24(frame, 9) + 1 };
  if (x + size.width > canvas.width || y + size.height > canvas.height) {
    throw damaged(
      `its first frame, ${show(size)} at (${x}, ${y}), leaves the canvas of ${show(canvas)}`,
    );
  }
  const parts = [...chunks(frame, 16)];
  const picture = parts.find(isBitstream);
  if (!picture) throw damaged("its first frame holds no picture (no VP8 or VP8L chunk)");
  requireSize("its first frame", picture, size);
  const alpha = parts.find(({ type }) => type === "ALPH");
  return { file: wrap(picture, alpha, size), x, y, ...size };
}

function requireSize(what: string, picture: Chunk, expected: Size): void {
  const found = bitstreamSize(picture);
  if (!found) throw damaged(`${what} ends before its size is stated`);
  if (found.width !== expected.width || found.height !== expected.height) {
    throw damaged(`${what} is ${show(found)} but should be ${show(expected)} by its header`);
  }
}

/** A file of one frame. A lossless picture has its own alpha. */
function wrap(picture: Chunk, alpha: Chunk | undefined, size: Size): Uint8Array {
  const parts = [picture.whole];
  if (alpha && picture.type === "VP8 ") {
    const extended = new Uint8Array(18);
    extended.set(new TextEncoder().encode("VP8X"));
    const view = viewOf(extended);
    view.setUint32(4, 10, true);
    view.setUint32(8, ALPHA, true);
    view.setUint32(12, size.width - 1, true);
    view.setUint16(15, size.height - 1 & 0xffff, true);
    extended[17] = size.height - 1 >> 16;
    parts.unshift(extended, alpha.whole);
  }
  const length = parts.reduce((sum, part) => sum + part.length, 4);
  const file = new Uint8Array(8 + length);
  file.set(new TextEncoder().encode("RIFF"));
  viewOf(file).setUint32(4, length, true);
  file.set(new TextEncoder().encode("WEBP"), 8);
  let at = RIFF_HEADER;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}
