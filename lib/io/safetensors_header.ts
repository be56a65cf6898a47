/**
 * The header of a safetensors file, read with every check.
 *
 * @module
 */
import { DamagedFileError } from "../errors.ts";
import { shown } from "../text.ts";
import { type Dtype, DTYPES, isDtype } from "./dtype.ts";
import { foreignKind } from "./foreign.ts";
import { duplicateKey, isDeeper } from "./json_keys.ts";

/** One tensor's place in the data section. */
export interface HeaderEntry {
  /** Name of the tensor. */
  name: string;
  /** Element type. */
  dtype: Dtype;
  /** Sizes, outermost first. */
  shape: number[];
  /** First byte, counted from the start of the data section. */
  begin: number;
  /** Byte after the last one. */
  end: number;
}

/** A header that fits its data section. */
export interface Header {
  /** Tensors by their place in the data section. */
  entries: HeaderEntry[];
  /** The free texts under `__metadata__`. */
  metadata: Record<string, string>;
}

/** Bytes of the length field before the header. */
export const PREFIX_BYTES = 8;

/** Header lengths above this are refused, as in the safetensors library. */
const MAX_HEADER_BYTES = 100_000_000;

/** Brackets within one another in a header: the object, a tensor's, its shape. */
const DEPTH = 3;

/** Says what is wrong with a file. */
type Fail = (message: string) => never;

/**
 * Makes the errors about a file.
 *
 * @param file how messages call it.
 * @param start its first bytes: where they are those of another format, the error says so instead.
 */
export function failer(file: string, start: Uint8Array): Fail {
  return (message) => {
    const kind = foreignKind(start);
    throw new DamagedFileError(
      kind === undefined
        ? `${shown(file)}: not a valid safetensors file: ${message}`
        : `${shown(file)}: expected a safetensors file but found ${kind}`,
    );
  };
}

/** Whether a value of JSON is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A value from the header for a message: as JSON, on one line, cut where it is long. */
export function brief(value: unknown): string {
  const short = typeof value === "string" ? value.slice(0, 200) : value;
  const line = shown(JSON.stringify(short) ?? "nothing");
  return line.length > 60 ? line.slice(0, 57) + "..." : line;
}

function readMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value)) fail(`expected __metadata__ to be an object but found ${brief(value)}`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") {
      fail(`expected metadata ${brief(key)} to be a string but found ${brief(text)}`);
    }
  }
  return value as Record<string, string>;
}

function readEntry(name: string, value: unknown, fail: Fail): HeaderEntry {
  const where = `tensor ${brief(name)}`;
  if (!isObject(value)) fail(`${where}: expected an object but found ${brief(value)}`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) {
    fail(`${where}: expected a dtype out of ${Object.keys(DTYPES)} but found ${brief(dtype)}`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    fail(`${where}: expected a shape of integers ≥ 0 but found ${brief(shape)}`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    fail(`${where}: expected data_offsets [begin, end] but found ${brief(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const bytes = (shape as number[]).reduce((a, b) => a * b, DTYPES[dtype].size);
  if (end - begin !== bytes) {
    fail(
      `${where}: expected ${bytes} bytes for ${dtype} ${brief(shape)} but found data_offsets ` +
        `${brief(offsets)}, that is ${end - begin}`,
    );
  }
  return { name, dtype, shape: shape as number[], begin, end };
}

/** Tensors must fill the data section one after the other: no overlap, no gap, nothing left over. */
function checkLayout(
  entries: HeaderEntry[],
  dataBytes: number,
  fail: Fail,
): void {
  let position = 0;
  for (const { name, begin, end } of entries) {
    const where = `tensor ${brief(name)}: data_offsets [${begin}, ${end}]`;
    if (end > dataBytes) fail(`${where} lie beyond the ${dataBytes} bytes of data (file cut off?)`);
    if (begin < position) fail(`${where} overlap the tensor before, which ends at ${position}`);
    if (begin > position) fail(`${where} leave a gap after byte ${position}`);
    position = end;
  }
  if (position !== dataBytes) {
    fail(`expected ${position} bytes of data as the tensors say but found ${dataBytes}`);
  }
}

/**
 * Length of the header, of the first bytes of a file.
 *
 * @param prefix at least the first 8 bytes, if there are as many.
 * @param fileBytes length of the whole file.
 */
export function headerLength(prefix: Uint8Array, fileBytes: number, fail: Fail): number {
  if (fileBytes === 0) fail("it is empty: copy or write it again");
  if (fileBytes < PREFIX_BYTES || prefix.length < PREFIX_BYTES) {
    fail(`expected 8 bytes of header length but found ${fileBytes} bytes in all`);
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  const left = fileBytes - PREFIX_BYTES;
  if (length > BigInt(left)) fail(`the header should take ${length} bytes but only ${left} follow`);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    fail(`expected a header of at most ${MAX_HEADER_BYTES} bytes but found ${length}`);
  }
  return Number(length);
}

/**
 * Reads and checks a header.
 *
 * @param bytes the JSON text.
 * @param dataBytes length of the data section that follows it.
 * @param fail throws an error that also names the file.
 */
export function readHeader(bytes: Uint8Array, dataBytes: number, fail: Fail): Header {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    fail("the header is not UTF-8");
  }
  if (isDeeper(text!, DEPTH)) fail("the header is nested deeper than the format's");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    fail(`expected a JSON header but found ${brief(text)} (${shown((error as Error).message)})`);
  }
  if (!isObject(json)) fail(`expected the header to be an object but found ${brief(json)}`);
  const twice = duplicateKey(text);
  if (twice !== undefined) fail(`the header names ${brief(twice)} twice`);
  const metadata = readMetadata(
    Object.hasOwn(json, "__metadata__") ? json.__metadata__ : undefined,
    fail,
  );
  const entries = Object.entries(json)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, value]) => readEntry(name, value, fail))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkLayout(entries, dataBytes, fail);
  return { entries, metadata };
}
