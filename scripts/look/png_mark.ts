/**
 * PNG files that say what wrote them, so that the next time they may be replaced.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import CRC32 from "crc-32";
import { OWN_PNG } from "../../lib/data/formats/png.ts";
import { headOf } from "../common/outputs.ts";

/** Signature and header chunk: what every PNG begins with. */
const HEAD = 8 + 25;

const TEXT = `${OWN_PNG} look`;

/** A PNG with the mark behind its header. */
export function markedPng(png: Uint8Array): Uint8Array<ArrayBuffer> {
  const chunk = Buffer.from(TEXT, "latin1"), mark = new Uint8Array(chunk.length + 8);
  const view = new DataView(mark.buffer);
  view.setUint32(0, chunk.length - 4); // without the type
  mark.set(chunk, 4);
  view.setInt32(4 + chunk.length, CRC32.buf(chunk));
  const out = new Uint8Array(png.length + mark.length);
  out.set(png.subarray(0, HEAD));
  out.set(mark, HEAD);
  out.set(png.subarray(HEAD), HEAD + mark.length);
  return out;
}

/** Whether a file is such a PNG. */
export function isOwnPng(path: string): boolean {
  return headOf(path, HEAD + 4 + TEXT.length).endsWith(TEXT);
}
