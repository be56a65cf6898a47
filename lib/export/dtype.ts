/**
 * Element types of exported weights.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { float32Tensor, type RawTensor } from "../io/safetensors.ts";
import type { Values } from "./layouts/layout.ts";

/** The element types, as `--dtype` names them. */
export const EXPORT_DTYPES = ["f32", "f16", "bf16"] as const;

/** One of them. */
export type ExportDtype = typeof EXPORT_DTYPES[number];

/** What PyTorch calls them. */
export const TORCH_DTYPES = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/**
 * Rounds to the nearest, ties to even.
 *
 * @throws {HatchlingError} When a number is too large for half precision.
 */
export function stored(name: string, { shape, data }: Values, dtype: ExportDtype): RawTensor {
  if (dtype === "f32") return float32Tensor(data, shape);
  if (dtype === "bf16") return { dtype: "BF16", shape: [...shape], data: toBfloat16(data) };
  const half = toHalf(name, data);
  return { dtype: "F16", shape: [...shape], data: new Uint16Array(half.buffer) };
}

/**
 * Half precision.
 *
 * @throws {HatchlingError} When a number is too large.
 */
export function toHalf(name: string, data: Float32Array): Float16Array<ArrayBuffer> {
  // Halfway from the largest half to the next one, numbers round to infinity.
  const most = 65520;
  let at = 0; // a loop: many times as fast as findIndex()
  while (at < data.length && data[at] < most && data[at] > -most) at++;
  if (at === data.length) return new Float16Array(data);
  throw new HatchlingError(
    `Expected numbers up to 65504 for f16 but found ${data[at]} in ${name}: take --dtype f32`,
  );
}

/** The upper half of every float32, rounded. */
function toBfloat16(data: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  return Uint16Array.from(bits, (x) => (x + 0x7fff + (x >>> 16 & 1)) >>> 16);
}
