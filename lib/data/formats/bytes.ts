/**
 * What the readers of all formats share.
 *
 * @module
 */

/** Columns and rows. */
export interface Size {
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
}

/** Latin-1 text of a byte range; shorter at the end of the data. */
export function ascii(bytes: Uint8Array, from: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + length));
}

/** A view of the same bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Unsigned 24-bit number, lowest byte first. */
export function uint24(bytes: Uint8Array, at: number): number {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16;
}
