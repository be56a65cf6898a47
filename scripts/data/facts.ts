/**
 * What a picture file says of itself beside its size: how its pixels are stored, and whether it moves.
 *
 * Sources: W3C PNG, third edition, 11.2.1; ITU-T T.81, B.2.2; GIF89a, 20 to 26; RFC 9649 (WebP), 2.7.
 *
 * @module
 */
import { extname } from "node:path";
import type { Header } from "../../lib/data/header.ts";

/** Facts of one file. */
export interface FileFacts {
  /** How its pixels are stored, such as "colour", "16-bit gray" or "palette + alpha". */
  kind: string;
  /** Whether it holds more than one frame; the first is read. */
  animated: boolean;
}

const latin1 = new TextDecoder("latin1");

/**
 * Facts of a whole file.
 *
 * @param file A file that `readHeader` has accepted.
 * @param format What it found.
 */
export function factsOf(file: Uint8Array, format: Header["format"]): FileFacts {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  return { PNG: pngFacts, JPEG: jpegFacts, GIF: gifFacts, WebP: webpFacts }[format](file, view);
}

/** Formats by the extensions that announce them. */
const FORMATS: Record<string, Header["format"]> = {
  ".png": "PNG",
  ".apng": "PNG",
  ".jpg": "JPEG",
  ".jpeg": "JPEG",
  ".jpe": "JPEG",
  ".jfif": "JPEG",
  ".gif": "GIF",
  ".webp": "WebP",
};

/** Whether a file's name announces another format than the one that it has. */
export function isMisnamed(path: string, format: Header["format"]): boolean {
  return (FORMATS[extname(path).toLowerCase()] ?? format) !== format;
}

function pngFacts(file: Uint8Array, view: DataView): FileFacts {
  const depth = file[24], colour = file[25];
  let transparent = colour >= 4, animated = false;
  for (let at = 8; at + 12 <= file.length;) {
    const type = latin1.decode(file.subarray(at + 4, at + 8));
    if (type === "IDAT") break; // both chunks come before it
    if (type === "tRNS") transparent = true;
    if (type === "acTL") animated = view.getUint32(at + 8) > 1;
    at += view.getUint32(at) + 12;
  }
  const stored = colour === 3 ? "palette" : colour & 2 ? "colour" : "gray";
  const kind = `${depth === 16 ? "16-bit " : ""}${stored}${transparent ? " + alpha" : ""}`;
  return { kind, animated };
}

function jpegFacts(file: Uint8Array, view: DataView): FileFacts {
  for (let at = 2; at + 10 <= file.length;) {
    const marker = file[at + 1];
    if (file[at] !== 0xff || marker === 0xff) at++;
    else if (marker >= 0xc0 && marker <= 0xc2) {
      const kind = { 1: "gray", 3: "colour", 4: "CMYK" }[file[at + 9]];
      return { kind: kind ?? `${file[at + 9]} channels`, animated: false };
    } else if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2;
    else at += 2 + view.getUint16(at + 2);
  }
  return { kind: "unknown", animated: false };
}

function gifFacts(file: Uint8Array): FileFacts {
  const table = (packed: number) => packed & 0x80 ? 3 << (packed & 7) + 1 : 0;
  let at = 13 + table(file[10]), frames = 0, transparent = false;
  const skipBlocks = () => {
    while (at < file.length && file[at] !== 0) at += 1 + file[at];
    at++;
  };
  while (at < file.length && frames < 2) {
    if (file[at] === 0x21) { // an extension; 0xf9 is a frame's graphic control
      if (file[at + 1] === 0xf9 && frames === 0) transparent ||= (file[at + 3] & 1) === 1;
      at += 2;
    } else if (file[at] === 0x2c) {
      frames++;
      at += 10 + table(file[at + 9]) + 1;
    } else break;
    skipBlocks();
  }
  return { kind: `palette${transparent ? " + alpha" : ""}`, animated: frames > 1 };
}

function webpFacts(file: Uint8Array, view: DataView): FileFacts {
  const type = latin1.decode(file.subarray(12, 16));
  // Both bits are hints: VP8X in its flags, VP8L after its size.
  const alpha = type === "VP8X"
    ? (file[20] & 0x10) !== 0
    : type === "VP8L" && (view.getUint32(21, true) >>> 28 & 1) === 1;
  return {
    kind: `colour${alpha ? " + alpha" : ""}`,
    animated: type === "VP8X" && !!(file[20] & 2),
  };
}
