/**
 * Element types of the safetensors format and the typed arrays that hold them.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/** Name of an element type, as the safetensors header spells it. */
export type Dtype =
  | "BOOL"
  | "U8"
  | "I8"
  | "U16"
  | "I16"
  | "F16"
  | "BF16"
  | "U32"
  | "I32"
  | "F32"
  | "U64"
  | "I64"
  | "F64";

/**
 * Values of one tensor, little-endian as on disk. F16 and BF16 are kept as their 16 bits and BOOL as
 * bytes of 0 or 1; {@linkcode toFloat32} gives numbers.
 */
export type RawData =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

/** One tensor of a file: row-major values with their shape (`[]` is a scalar). */
export interface RawTensor {
  /** Element type as stored. */
  dtype: Dtype;
  /** Sizes, outermost first. */
  shape: number[];
  /** `shape` product many values. */
  data: RawData;
}

/** How one element type is stored. */
export interface DtypeStorage {
  /** Bytes per element. */
  size: number;
  /** The typed array's name, e.g. "Float32Array". */
  array: string;
  /** Views `length` elements of `buffer` from byte `offset`, a multiple of `size`. */
  view(buffer: ArrayBuffer, offset: number, length: number): RawData;
}

/** Storage of every known element type. */
export const DTYPES: Readonly<Record<Dtype, DtypeStorage>> = {
  BOOL: { size: 1, array: "Uint8Array", view: (b, o, n) => new Uint8Array(b, o, n) },
  U8: { size: 1, array: "Uint8Array", view: (b, o, n) => new Uint8Array(b, o, n) },
  I8: { size: 1, array: "Int8Array", view: (b, o, n) => new Int8Array(b, o, n) },
  U16: { size: 2, array: "Uint16Array", view: (b, o, n) => new Uint16Array(b, o, n) },
  I16: { size: 2, array: "Int16Array", view: (b, o, n) => new Int16Array(b, o, n) },
  F16: { size: 2, array: "Uint16Array", view: (b, o, n) => new Uint16Array(b, o, n) },
  BF16: { size: 2, array: "Uint16Array", view: (b, o, n) => new Uint16Array(b, o, n) },
  U32: { size: 4, array: "Uint32Array", view: (b, o, n) => new Uint32Array(b, o, n) },
  I32: { size: 4, array: "Int32Array", view: (b, o, n) => new Int32Array(b, o, n) },
  F32: { size: 4, array: "Float32Array", view: (b, o, n) => new Float32Array(b, o, n) },
  U64: { size: 8, array: "BigUint64Array", view: (b, o, n) => new BigUint64Array(b, o, n) },
  I64: { size: 8, array: "BigInt64Array", view: (b, o, n) => new BigInt64Array(b, o, n) },
  F64: { size: 8, array: "Float64Array", view: (b, o, n) => new Float64Array(b, o, n) },
};

/** Whether `name` is an element type that this library reads and writes. */
export function isDtype(name: unknown): name is Dtype {
  return typeof name === "string" && Object.hasOwn(DTYPES, name);
}

/** Whether numbers of this type are floating point, as weights are. */
export function isFloating(dtype: Dtype): boolean {
  return ["F16", "BF16", "F32", "F64"].includes(dtype);
}

/** Values in bytes as they lie on disk: a view where the element size allows it, else a copy. */
export function viewOf(bytes: Uint8Array<ArrayBuffer>, dtype: Dtype): RawData {
  const { size, view } = DTYPES[dtype];
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return view(aligned.buffer, aligned.byteOffset, aligned.length / size);
}

/** IEEE half precision bits as a number (subnormals, infinities and NaN included). */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * The values as float32: F32 as they are (no copy), every other type converted, F64, I64 and U64
 * rounded to the nearest.
 *
 * @example
 * ```ts
 * import { toFloat32 } from "@hatchling/hatchling/io";
 *
 * const values = toFloat32({ dtype: "F16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) });
 * console.assert(values.join() === "1,-2");
 * ```
 */
export function toFloat32(tensor: RawTensor): Float32Array<ArrayBuffer> {
  const { dtype, data } = tensor;
  if (data instanceof Float32Array) return data;
  if (dtype === "F16") return Float32Array.from(data as Uint16Array, halfToNumber);
  if (dtype === "BF16") {
    // bfloat16 is the upper half of a float32
    return new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer);
  }
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}

/**
 * Wraps float32 values as a tensor for `serializeSafetensors`.
 *
 * @throws {HatchlingError} when the shape does not hold as many values as there are.
 *
 * @example
 * ```ts
 * import { float32Tensor } from "@hatchling/hatchling/io";
 *
 * console.assert(float32Tensor(new Float32Array(6), [2, 3]).dtype === "F32");
 * ```
 */
export function float32Tensor(data: Float32Array, shape: readonly number[]): RawTensor {
  const size = shape.reduce((a, b) => a * b, 1);
  if (size !== data.length) {
    throw new HatchlingError(
      `Expected ${size} values for shape [${shape}] but found ${data.length}`,
    );
  }
  const owned = data.buffer instanceof ArrayBuffer
    ? data as Float32Array<ArrayBuffer>
    : new Float32Array(data);
  return { dtype: "F32", shape: [...shape], data: owned };
}
