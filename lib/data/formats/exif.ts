/**
 * The orientation that a camera notes in its pictures.
 *
 * Sources: EXIF 2.3, 4.6.2; TIFF 6.0, section 2.
 *
 * @module
 */

import { ascii, viewOf } from "./bytes.ts";

const ORIENTATION = 0x0112;

/** How integer types of TIFF read, by type code. */
const INTEGERS: Record<number, "getUint16" | "getUint32" | "getInt16" | "getInt32"> = {
  3: "getUint16",
  4: "getUint32",
  8: "getInt16",
  9: "getInt32",
};

/** Bytes of a value by type code from 1; 13 is a directory. Entries of other types are passed over. */
const BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4];

/**
 * Orientation of a TIFF block: tag 0x0112 of its first directory. As Pillow reads it: of several such tags
 * the last counts; a directory that is cut off, or points outside, counts up to there.
 *
 * @param block EXIF data, with or without "Exif\0\0" before the TIFF header.
 * @returns 1 to 8; 1 when the tag is missing or senseless. Never throws.
 */
export function exifOrientation(block: Uint8Array): number {
  const tiff = ascii(block, 0, 6) === "Exif\0\0" ? block.subarray(6) : block;
  if (!/^((II|MM)(\*\0|\0\*)|MM\0\+)$/.test(ascii(tiff, 0, 4)) || tiff.length < 8) return 1;
  const view = viewOf(tiff);
  const little = tiff[0] === 0x49; // "II", otherwise "MM"
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return 1;
  const entries = view.getUint16(directory, little);
  let orientation = 1;
  for (let i = 0, at = directory + 2; i < entries && at + 12 <= tiff.length; i++, at += 12) {
    const type = view.getUint16(at + 2, little), count = view.getUint32(at + 4, little);
    const size = (BYTES[type] ?? 0) * count;
    if (size === 0) continue;
    const from = size <= 4 ? at + 8 : view.getUint32(at + 8, little); // long values lie elsewhere
    if (from + size > tiff.length) break;
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const read = INTEGERS[type], value = read ? view[read](from, little) : 1; // the first of several
    orientation = value >= 1 && value <= 8 ? value : 1;
  }
  return orientation;
}
