/**
 * Structure of GIF files: the size that the first frame needs.
 *
 * Source: GIF89a, 18 to 26.
 *
 * @module
 */

import { HatchlingError } from "../../errors.ts";
import { type Size, viewOf } from "./bytes.ts";

const EXTENSION = 0x21, IMAGE = 0x2c, TRAILER = 0x3b;

/** Bytes of a colour table by its packed field; 0 when there is none. */
function tableBytes(packed: number): number {
  return packed & 0x80 ? 3 << (packed & 7) + 1 : 0;
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
  const view = viewOf(bytes);
  if (bytes.length < 13) return;
  const screen = { width: view.getUint16(6, true), height: view.getUint16(8, true) };
  let at = 13 + tableBytes(bytes[10]);
  while (at < bytes.length && bytes[at] === EXTENSION) {
    for (at += 2; at < bytes.length && bytes[at] !== 0; at += 1 + bytes[at]);
    at++;
  }
  if (at >= bytes.length) return;
  if (bytes[at] !== IMAGE) {
    throw new HatchlingError(
      `damaged GIF: expected its first frame at byte ${at} but found 0x${bytes[at].toString(16)}` +
        (bytes[at] === TRAILER ? ", the end of the file" : ""),
    );
  }
  if (at + 9 > bytes.length) return;
  const [x, y, width, height] = [1, 3, 5, 7].map((skip) => view.getUint16(at + skip, true));
  if (width === 0 || height === 0) {
    throw new HatchlingError(`damaged GIF: the size of its first frame is ${width} × ${height}`);
  }
  return { width: Math.max(screen.width, x + width), height: Math.max(screen.height, y + height) };
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
