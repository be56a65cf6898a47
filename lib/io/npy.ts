/**
 * NumPy's .npy, version 1.0: a header in Python's notation, then the numbers.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/**
 * The bytes of a .npy file with float32 numbers, little-endian and in C order.
 *
 * @param data Numbers, row-major.
 * @param shape Their shape.
 * @throws {HatchlingError} When they do not fit.
 *
 * @example
 * ```ts
 * import { encodeNpy } from "@hatchling/hatchling/io";
 *
 * const bytes = encodeNpy(Float32Array.of(1, 2), [1, 2]);
 * console.assert(new TextDecoder().decode(bytes.subarray(1, 6)) === "NUMPY");
 * ```
 */
export function encodeNpy(data: Float32Array, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const size = shape.reduce((a, b) => a * b, 1);
  if (size !== data.length) {
    throw new HatchlingError(
      `Expected ${size} numbers for shape [${shape}] but found ${data.length}`,
    );
  }
  const head = npyHeader(shape);
  const bytes = new Uint8Array(head.length + 4 * size);
  bytes.set(head);
  const view = new DataView(bytes.buffer);
  data.forEach((value, i) => view.setFloat32(head.length + 4 * i, value, true));
  return bytes;
}

/** What stands before the numbers of an array of this shape: 128 bytes, of up to ten dimensions or so. */
export function npyHeader(shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64; // the data begin at a multiple of 64
  const bytes = new Uint8Array(length);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0]);
  new DataView(bytes.buffer).setUint16(8, length - 10, true);
  bytes.set(new TextEncoder().encode(text.padEnd(length - 11) + "\n"), 10);
  return bytes;
}
