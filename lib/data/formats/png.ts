/**
 * Structure of PNG files: size and EXIF.
 *
 * Source: W3C PNG, third edition, 5.3, 11.2.1 and 11.3.4.5.
 *
 * @module
 */

import { HatchlingError } from "../../errors.ts";
import { crc32 } from "../../io/digests.ts";
import { shown } from "../../text.ts";
import { ascii, type Size, viewOf } from "./bytes.ts";

/** Bit depths that each colour type allows. */
const DEPTHS: Record<number, number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

/**
 * Size of a PNG.
 *
 * @param bytes The file, or its beginning.
 * @returns The size, or undefined when `bytes` end before it.
 * @throws {HatchlingError} when the header is one that PNG does not allow.
 */
export function pngSize(bytes: Uint8Array): Size | undefined {
  if (bytes.length < 29) return;
  const view = viewOf(bytes);
  const type = ascii(bytes, 12, 4);
  if (type !== "IHDR" || view.getUint32(8) !== 13) {
    throw new HatchlingError(
      `damaged PNG: expected its header chunk IHDR of 13 bytes first but found ` +
        `${JSON.stringify(type)} of ${view.getUint32(8)}`,
    );
  }
  const [depth, colour, compression, filter, interlace] = bytes.subarray(24, 29);
  if (!DEPTHS[colour]?.includes(depth) || compression > 0 || filter > 0 || interlace > 1) {
    throw new HatchlingError(
      `damaged PNG: its header states bit depth ${depth}, colour type ${colour}, compression ` +
        `${compression}, filter ${filter} and interlace ${interlace}, which PNG does not allow together`,
    );
  }
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** What follows the header, length aside, in the pictures that Hatchling writes for people. */
export const OWN_PNG = "tEXtSoftware\0hatchling";

/** Whether a PNG says that Hatchling wrote it; of a file that is cut off, false. */
export function isOwnPng(bytes: Uint8Array): boolean {
  return ascii(bytes, 8 + 25 + 4, OWN_PNG.length) === OWN_PNG;
}

/** A chunk of a PNG. */
export interface Chunk {
  /** Where it starts. */
  at: number;
  /** Its four letters. */
  type: string;
  /** What it holds; less than it states where the file is cut off. */
  data: Uint8Array;
  /** From its length to its checksum. */
  bytes: Uint8Array;
  /** Whether the file holds all of it. */
  whole: boolean;
}

/** Chunks up to IEND, or to where the file ends. */
export function* chunks(file: Uint8Array): Generator<Chunk> {
  const view = viewOf(file);
  for (let at = 8; at + 8 <= file.length;) {
    const end = at + 12 + view.getUint32(at), type = ascii(file, at + 4, 4);
    const [data, bytes] = [file.subarray(at + 8, end - 4), file.subarray(at, end)];
    yield { at, type, data, bytes, whole: end <= file.length };
    if (type === "IEND") return;
    at = end;
  }
}

/** Whether all of a chunk is there, and its checksum right. */
export function isSound({ bytes, whole }: Chunk): boolean {
  const end = bytes.length - 4;
  return whole && crc32(bytes.subarray(4, end)) === viewOf(bytes).getUint32(end);
}

/**
 * EXIF block of a whole PNG: its last eXIf chunk, as Pillow takes it; it may come after the picture.
 *
 * @param file A file that {@linkcode pngSize} has accepted.
 */
export function pngExif(file: Uint8Array): Uint8Array | undefined {
  let found: Uint8Array | undefined;
  for (const { type, data } of chunks(file)) if (type === "eXIf") found = data;
  return found;
}

/**
 * What is wrong with a PNG that could not be decoded, in words.
 *
 * @param file A file that {@linkcode pngSize} has accepted.
 */
export function pngFault(file: Uint8Array): string {
  const types = new Set<string>();
  for (const chunk of chunks(file)) {
    const { at, type, whole } = chunk;
    const where = `its ${shown(type)} chunk at byte ${at}`;
    if (!whole) return `${where} runs past the end: the file was cut off, or a length is wrong`;
    if (!isSound(chunk)) return `the checksum of ${where} is wrong`;
    types.add(type);
  }
  if (!types.has("IDAT")) return "it holds no picture data (no IDAT chunk)";
  if (file[25] === 3 && !types.has("PLTE")) return "it has no palette (no PLTE chunk)";
  return "its compressed data are damaged or too few";
}
