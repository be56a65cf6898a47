/**
 * Several tensors' numbers as one array, so that they are sent together.
 *
 * @module
 */
import type { Tensor } from "../../gpu.ts";

/** All numbers, one array after the other; a single one as it is. */
export function pack(values: readonly Float32Array[]): Float32Array {
  if (values.length === 1) return values[0];
  const packed = new Float32Array(values.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of values) {
    packed.set(part, at);
    at += part.length;
  }
  return packed;
}

/** Writes numbers to the tensors that they belong to, in order; what follows them is left. */
export function unpack(packed: Float32Array, tensors: readonly Tensor[]): void {
  let at = 0;
  for (const tensor of tensors) tensor.write(packed.subarray(at, at += tensor.size));
}
