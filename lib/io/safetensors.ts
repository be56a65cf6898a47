/**
 * The safetensors format: u64 little-endian header length N, N bytes of JSON, raw little-endian data
 * (https://github.com/huggingface/safetensors). Works on bytes only, so also in a browser.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { DTYPES, isDtype, type RawTensor, viewOf } from "./dtype.ts";
import {
  brief,
  failer,
  headerLength,
  PREFIX_BYTES as PREFIX,
  readHeader,
} from "./safetensors_header.ts";

export type { Dtype, RawData, RawTensor } from "./dtype.ts";
export { float32Tensor, toFloat32 } from "./dtype.ts";

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** Tensors by name, in the order of their data. */
  tensors: Map<string, RawTensor>;
  /** The free texts of the header. */
  metadata: Record<string, string>;
}

/**
 * Reads a safetensors file. Tensors are views of `bytes` where the element size allows it, copies
 * elsewhere: change neither while you use the other.
 *
 * @param bytes the whole file.
 * @param file how messages call it, usually its path.
 * @throws {HatchlingError} when the file is cut off, its header is not what the format asks for, an
 * element type is unknown, a name occurs twice, or tensors overlap, leave gaps or exceed the file.
 *
 * @example
 * ```ts
 * import { float32Tensor, parseSafetensors, serializeSafetensors } from "@hatchling/hatchling/io";
 *
 * const file = serializeSafetensors(new Map([["w", float32Tensor(new Float32Array(6), [2, 3])]]));
 * console.assert(parseSafetensors(file).tensors.get("w")!.shape.join() === "2,3");
 * ```
 *
 * @category Files
 */
export function parseSafetensors(bytes: Uint8Array, file = "safetensors data"): SafetensorsFile {
  const fail = failer(file, bytes);
  const start = PREFIX + headerLength(bytes, bytes.length, fail);
  const owned = bytes.buffer instanceof ArrayBuffer
    ? bytes as Uint8Array<ArrayBuffer>
    : bytes.slice();
  const { entries, metadata } = readHeader(
    owned.subarray(PREFIX, start),
    owned.length - start,
    fail,
  );
  const tensors = new Map<string, RawTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    tensors.set(name, {
      dtype,
      shape,
      data: viewOf(owned.subarray(start + begin, start + end), dtype),
    });
  }
  return { tensors, metadata };
}

function checkTensor(name: string, { dtype, shape, data }: RawTensor): void {
  const where = `Tensor ${brief(name)}`;
  if (name === "__metadata__") {
    throw new HatchlingError(`${where}: the format keeps this name for metadata; choose another`);
  }
  if (!isDtype(dtype)) {
    throw new HatchlingError(`${where}: expected a dtype out of ${Object.keys(DTYPES)}`);
  }
  const array = data.constructor.name;
  if (array !== DTYPES[dtype].array) {
    throw new HatchlingError(`${where}: expected ${DTYPES[dtype].array} but found ${array}`);
  }
  const size = shape.reduce((a, b) => a * b, 1);
  if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0) || size !== data.length) {
    throw new HatchlingError(
      `${where}: expected ${size} values for shape [${shape}] but found ${data.length}`,
    );
  }
}

/** By code units, which no locale changes. */
function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Writes a safetensors file: the same tensors and texts give the same bytes, whatever their order.
 * Data start at a multiple of 8, wide elements first, so that every tensor can be viewed in place.
 *
 * @throws {HatchlingError} when a tensor's values do not fit its type or shape.
 *
 * @example
 * ```ts
 * import { float32Tensor, parseSafetensors, serializeSafetensors } from "@hatchling/hatchling/io";
 *
 * const weight = float32Tensor(new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3]);
 * const bytes = serializeSafetensors(new Map([["weight", weight]]), { step: "120" });
 * console.assert(parseSafetensors(bytes).tensors.get("weight")!.data[5] === 6);
 * ```
 *
 * @category Files
 */
export function serializeSafetensors(
  tensors: ReadonlyMap<string, RawTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const rows = [...tensors].sort(([a, x], [b, y]) =>
    (DTYPES[y.dtype]?.size ?? 0) - (DTYPES[x.dtype]?.size ?? 0) || byName(a, b)
  );
  const texts = Object.keys(metadata).sort(byName)
    .map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`);
  const fields = texts.length > 0 ? [`"__metadata__":{${texts.join(",")}}`] : [];
  let dataBytes = 0;
  for (const [name, tensor] of rows) {
    checkTensor(name, tensor);
    const { dtype, shape, data } = tensor;
    const end = dataBytes + data.byteLength;
    const entry = { dtype, shape, data_offsets: [dataBytes, end] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    dataBytes = end;
  }
  const header = new TextEncoder().encode(`{${fields.join(",")}}`);
  const headerBytes = Math.ceil(header.length / 8) * 8;
  const bytes = new Uint8Array(PREFIX + headerBytes + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, PREFIX, PREFIX + headerBytes).set(header, PREFIX); // padded with spaces
  let position = PREFIX + headerBytes;
  for (const [, { data }] of rows) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}
