/**
 * Format and size from the first bytes of a picture file, and its orientation, without decoding it.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { ascii, type Size } from "./formats/bytes.ts";
import { exifOrientation } from "./formats/exif.ts";
import { foreignKind } from "./formats/foreign.ts";
import { gifSize } from "./formats/gif.ts";
import { jpegExif, jpegSize } from "./formats/jpeg.ts";
import { isOwnPng, pngExif, pngSize } from "./formats/png.ts";
import { webpExif, webpSize } from "./formats/webp.ts";

/**
 * Most pixels that a file may claim, 10^8 (400 MB of RGBA): checked before anything is decoded, so that a
 * small file cannot take the machine's memory.
 */
export const MAX_DECODED_PIXELS = 100_000_000;

/** Most columns, and most rows: the decoders take no more than 2^24. */
export const MAX_DECODED_SIDE = 10_000_000;

/** What the head of a picture file says. */
export interface Header {
  /** Format by its first bytes; the file's extension plays no part. */
  format: "PNG" | "JPEG" | "GIF" | "WebP";
  /** Columns as stored, before the orientation is applied. */
  width: number;
  /** Rows as stored. */
  height: number;
  /** Whether it says that Hatchling wrote it. */
  own?: true;
}

/** The formats that are decoded, for messages. */
export const FORMATS = "PNG, JPEG, GIF or WebP";

/**
 * Format by magic bytes.
 *
 * @param bytes At least the first 12 bytes of the file.
 * @returns The format, or undefined when it is none that we decode.
 */
export function sniff(bytes: Uint8Array): Header["format"] | undefined {
  if (ascii(bytes, 0, 8) === "\x89PNG\r\n\x1a\n") return "PNG";
  if (ascii(bytes, 0, 3) === "\xff\xd8\xff") return "JPEG";
  if (/^GIF8[79]a/.test(ascii(bytes, 0, 6))) return "GIF";
  if (/^RIFF.{4}WEBP/s.test(ascii(bytes, 0, 12))) return "WebP";
}

const SIZES = { PNG: pngSize, JPEG: jpegSize, GIF: gifSize, WebP: webpSize };

/**
 * Reads a picture's header.
 *
 * @param bytes The file, or its beginning.
 * @param complete Whether `bytes` is the whole file.
 * @returns The header, or undefined when more than the given beginning is needed.
 * @throws {HatchlingError} with the reason (without the file's name, which the caller knows) when this is
 * no PNG, JPEG, GIF or WebP, its header is cut off or impossible, or it states more than
 * {@linkcode MAX_DECODED_PIXELS}.
 */
export function readHeader(bytes: Uint8Array, complete: boolean): Header | undefined {
  if (bytes.length === 0) throw new HatchlingError("the file is empty (0 bytes)");
  const format = sniff(bytes);
  if (!format) {
    const start = JSON.stringify(ascii(bytes, 0, 12));
    throw new HatchlingError(
      foreignKind(bytes) ?? `not a ${FORMATS}: the file starts with ${start}`,
    );
  }
  const size = SIZES[format](bytes);
  if (!size) {
    if (!complete) return;
    throw new HatchlingError(
      `damaged ${format}: the file ends before its size is stated (${bytes.length} bytes)`,
    );
  }
  requireSize(format, size);
  return format === "PNG" && isOwnPng(bytes) ? { format, ...size, own: true } : { format, ...size };
}

function requireSize(format: Header["format"], { width, height }: Size): void {
  if (width < 1 || height < 1) {
    throw new HatchlingError(`damaged ${format}: its size is ${width} × ${height}`);
  }
  if (width * height > MAX_DECODED_PIXELS) {
    throw new HatchlingError(
      `its header states ${width} × ${height} pixels, more than the limit of ` +
        `${MAX_DECODED_PIXELS}: make it smaller`,
    );
  }
  if (Math.max(width, height) > MAX_DECODED_SIDE) {
    throw new HatchlingError(
      `its header states ${width} × ${height} pixels, and a side may have ${MAX_DECODED_SIDE} at most: cut it ` +
        `into parts`,
    );
  }
}

const EXIF = {
  PNG: pngExif,
  JPEG: jpegExif,
  GIF: () => undefined,
  WebP: webpExif,
};

/**
 * EXIF orientation of a whole file: where row 0 and column 0 of the stored picture lie when it is upright.
 *
 * @param file A file that {@linkcode readHeader} has accepted.
 * @param format Its format.
 * @returns 1 to 8 as in EXIF 2.3, tag 0x0112; 1 where the file says nothing sensible.
 */
export function readOrientation(file: Uint8Array, format: Header["format"]): number {
  const block = EXIF[format](file);
  return block ? exifOrientation(block) : 1;
}
