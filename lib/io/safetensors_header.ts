/**
 * The JSON header of a safetensors file, read with every check.
 *
 * @module
 */
import { type Dtype, DTYPES, isDtype } from "./dtype.ts";
import { duplicateKey } from "./json_keys.ts";

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

/** Header lengths above this are refused, as in the safetensors library. */
export const MAX_HEADER_BYTES = 100_000_000;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? text.slice(0, 57) + "..." : text;
}

function readMetadata(value: unknown, fail: (message: string) => never): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value)) fail(`expected __metadata__ to be an object but found ${shown(value)}`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") {
      fail(`expected metadata ${shown(key)} to be a string but found ${shown(text)}`);
    }
  }
  return value as Record<string, string>;
}

function readEntry(name: string, value: unknown, fail: (message: string) => never): HeaderEntry {
  const where = `tensor ${shown(name)}`;
  if (!isObject(value)) fail(`${where}: expected an object but found ${shown(value)}`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) {
    fail(`${where}: expected a dtype out of ${Object.keys(DTYPES)} but found ${shown(dtype)}`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    fail(`${where}: expected a shape of integers ≥ 0 but found ${shown(shape)}`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    fail(`${where}: expected data_offsets [begin, end] but found ${shown(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const bytes = (shape as number[]).reduce((a, b) => a * b, DTYPES[dtype].size);
  if (end - begin !== bytes) {
    fail(
      `${where}: expected ${bytes} bytes for ${dtype} [${shape}] but found data_offsets ` +
        `${shown(offsets)}, that is ${end - begin}`,
    );
  }
  return { name, dtype, shape: shape as number[], begin, end };
}

/** Tensors must fill the data section one after the other: no overlap, no gap, nothing left over. */
function checkLayout(
  entries: HeaderEntry[],
  dataBytes: number,
  fail: (message: string) => never,
): void {
  let position = 0;
  for (const { name, begin, end } of entries) {
    const where = `tensor ${shown(name)}: data_offsets [${begin}, ${end}]`;
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
 * Reads and checks a header.
 *
 * @param text the JSON text.
 * @param dataBytes length of the data section that follows it.
 * @param fail throws an error that also names the file.
 */
export function readHeader(
  text: string,
  dataBytes: number,
  fail: (message: string) => never,
): Header {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    fail(`expected a JSON header but found ${shown(text)} (${(error as Error).message})`);
  }
  if (!isObject(json)) fail(`expected the header to be an object but found ${shown(json)}`);
  const twice = duplicateKey(text);
  if (twice !== undefined) fail(`the header names ${shown(twice)} twice`);
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
