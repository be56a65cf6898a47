/**
 * Structure of PNG files: size and EXIF.
 *
 * Source: W3C PNG, third edition, 5.3, 11.2.1 and 11.3.4.5.
 *
 * @module
 */

import { HatchlingError } from "../../errors.ts";
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
      `damaged PNG: expected its header chunk IHDR first but found ${JSON.stringify(type)}`,
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

/**
 * EXIF block of a whole PNG: its last eXIf chunk, as Pillow takes it; it may come after the picture.
 *
 * @param file A file that {@linkcode pngSize} has accepted.
 */
export function pngExif(file: Uint8Array): Uint8Array | undefined {
  const view = viewOf(file);
  let found: Uint8Array | undefined;
  for (let at = 8; at + 12 <= file.length;) {
    const length = view.getUint32(at), type = ascii(file, at + 4, 4), from = at + 8;
    if (type === "IEND") break;
    if (type === "eXIf") found = file.subarray(from, from + length);
    at = from + length + 4;
  }
  return found;
}
