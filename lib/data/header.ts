/**
 * Format, size and orientation from the first bytes of a picture file, without decoding it.
 *
 * Sources: PNG (W3C, third edition) 11.2.2; JPEG ITU-T T.81 B.2.2; GIF89a 18; EXIF 2.3, 4.6.2.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";

/**
 * Most pixels that a file may claim, 10^8 (400 MB of RGBA): checked before anything is decoded, so that a
 * small file cannot take the machine's memory.
 */
export const MAX_DECODED_PIXELS = 100_000_000;

/** What the head of a picture file says. */
export interface Header {
  /** Format by its first bytes; the file's extension plays no part. */
  format: "PNG" | "JPEG" | "GIF";
  /** Columns as stored, before {@linkcode Header.orientation} is applied. */
  width: number;
  /** Rows as stored. */
  height: number;
  /** EXIF orientation 1 to 8; 1 where the file says nothing. */
  orientation: number;
}

/** Formats that people have but we cannot decode: they get a message of their own. */
const FOREIGN: [name: string, offset: number, magic: string][] = [
  ["WebP", 8, "WEBP"],
  ["AVIF or HEIC", 4, "ftyp"],
  ["TIFF", 0, "II*\0"],
  ["TIFF", 0, "MM\0*"],
  ["JPEG XL", 0, "\xff\x0a"],
  ["JPEG XL", 4, "JXL "],
  ["SVG", 0, "<svg"],
  ["PDF", 0, "%PDF"],
  ["BMP", 0, "BM"],
];

/** Latin-1 text of a byte range; shorter at the end of the data. */
function ascii(bytes: Uint8Array, from: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + length));
}

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
}

/**
 * Reads a picture's header.
 *
 * @param bytes The file, or its beginning.
 * @param complete Whether `bytes` is the whole file.
 * @returns The header, or undefined when more than the given beginning is needed.
 * @throws {HatchlingError} with the reason (without the file's name, which the caller knows) when this is
 * no PNG, JPEG or GIF, its header is cut off or impossible, or it states more than
 * {@linkcode MAX_DECODED_PIXELS}.
 */
export function readHeader(bytes: Uint8Array, complete: boolean): Header | undefined {
  if (bytes.length === 0) throw new HatchlingError("the file is empty (0 bytes)");
  const format = sniff(bytes);
  if (!format) throw new HatchlingError(describeForeign(bytes));
  const header = format === "JPEG" ? jpegHeader(bytes) : fixedHeader(bytes, format);
  if (!header) {
    if (!complete) return;
    throw new HatchlingError(
      `damaged ${format}: the file ends before its size is stated (${bytes.length} bytes)`,
    );
  }
  if (header.width < 1 || header.height < 1) {
    throw new HatchlingError(`damaged ${format}: its size is ${header.width} × ${header.height}`);
  }
  if (header.width * header.height > MAX_DECODED_PIXELS) {
    throw new HatchlingError(
      `its header states ${header.width} × ${header.height} pixels, more than the limit of ` +
        `${MAX_DECODED_PIXELS}: make it smaller`,
    );
  }
  return header;
}

function describeForeign(bytes: Uint8Array): string {
  for (const [name, offset, magic] of FOREIGN) {
    if (ascii(bytes, offset, magic.length) === magic) {
      return `${name} cannot be decoded: convert it to PNG or JPEG`;
    }
  }
  const start = JSON.stringify(ascii(bytes, 0, 12));
  return `not a PNG, JPEG or GIF: the file starts with ${start}`;
}

/** PNG and GIF: sizes at a fixed place. */
function fixedHeader(bytes: Uint8Array, format: "PNG" | "GIF"): Header | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (format === "GIF") {
    if (bytes.length < 10) return;
    return {
      format,
      width: view.getUint16(6, true),
      height: view.getUint16(8, true),
      orientation: 1,
    };
  }
  if (bytes.length < 24) return;
  return { format, width: view.getUint32(16), height: view.getUint32(20), orientation: 1 };
}

/** JPEG: walks the marker segments up to the frame header, past EXIF where there is one. */
function jpegHeader(bytes: Uint8Array): Header | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let orientation = 1;
  for (let at = 2; at + 9 <= bytes.length;) {
    if (bytes[at] !== 0xff) {
      throw new HatchlingError(`damaged JPEG: byte ${at} should start a segment but does not`);
    }
    const marker = bytes[at + 1];
    if (marker === 0xff) at++; // fill byte
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) at += 2; // without a length
    else if (marker === 0xd9 || marker === 0xda) {
      throw new HatchlingError("damaged JPEG: picture data or its end before the frame header");
    } else {
      const length = view.getUint16(at + 2);
      // SOF0 to SOF15, without the tables DHT (c4), JPG (c8) and DAC (cc) that share the range.
      if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
        const height = view.getUint16(at + 5), width = view.getUint16(at + 7);
        return { format: "JPEG", width, height, orientation };
      }
      if (marker === 0xe1 && ascii(bytes, at + 4, 6) === "Exif\0\0") {
        orientation = exifOrientation(bytes.subarray(at + 10, at + 2 + length));
      }
      at += 2 + length;
    }
  }
}

/** Tag 0x0112 of the first directory of a TIFF block; 1 when it is missing, cut off or out of range. */
function exifOrientation(tiff: Uint8Array): number {
  if (tiff.length < 8) return 1;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const little = tiff[0] === 0x49; // "II", otherwise "MM"
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return 1;
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + 12 * i;
    if (at + 12 > tiff.length) return 1;
    if (view.getUint16(at, little) === 0x0112) {
      const value = view.getUint16(at + 8, little);
      return value >= 1 && value <= 8 ? value : 1;
    }
  }
  return 1;
}
