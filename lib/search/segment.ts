/**
 * A file of rows: one line that says what it is, JSON, and the rows. The line holds the JSON's length and SHA-256,
 * the JSON the number of bytes that follow and their CRC-32; so any byte that is not as it was written shows.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Stamp } from "../data/inspect.ts";

/** Version of the format: counts up when a file of the same rows becomes another one. */
const VERSION = 2;

/** What is kept beside a row: JSON. */
export type Meta = Record<string, string | number>;

/** A file's entry in a segment; without a row, `reason` says why. */
export interface Entry {
  id: string;
  stamp: Stamp;
  reason?: string;
  meta: Meta;
}

/** What a segment says of itself. */
export interface Head {
  /** What the rows are about. */
  of: string;
  rowBytes: number;
  /** Those with a row first, in the order of the rows. */
  entries: Entry[];
}

/** A segment in memory. */
export interface Segment {
  head: Head;
  /** Rows one after the other, at a multiple of 8 bytes. */
  data: Uint8Array<ArrayBuffer>;
}

/** The head with what shows damage of the rows. */
interface Json extends Head {
  bytes: number;
  crc32: number;
}

/** Number of rows. */
export function rowsOf({ entries }: Pick<Head, "entries">): number {
  return entries.reduce((n, { reason }) => n + (reason === undefined ? 1 : 0), 0);
}

/** Bytes of a segment. */
export function encodeSegment(head: Head, rows: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = rows.length * head.rowBytes;
  const data = new Uint8Array(bytes);
  rows.forEach((row, i) => data.set(row, i * head.rowBytes));
  const json: Json = { ...head, bytes, crc32: crc32(data) };
  const text = new TextEncoder().encode(JSON.stringify(json));
  const padded = new Uint8Array(Math.ceil((FIRST + text.length) / 8) * 8 - FIRST).fill(0x20);
  padded.set(text); // spaces behind it, so that rows lie where numbers may
  const out = new Uint8Array(FIRST + padded.length + bytes);
  out.set(firstLine(padded));
  out.set(padded, FIRST);
  out.set(data, FIRST + padded.length);
  return out;
}

/**
 * The segment in some bytes.
 *
 * @param of What it should be about, with rows of so many bytes.
 * @returns Undefined unless every byte is as it was written, by this version.
 */
export function decodeSegment(
  bytes: Uint8Array<ArrayBuffer>,
  of: string,
  rowBytes: number,
): Segment | undefined {
  const first = new TextDecoder().decode(bytes.subarray(0, FIRST));
  const start = FIRST + Number(first.split(" ")[2]);
  if (!(start <= bytes.length)) return;
  const text = bytes.subarray(FIRST, start);
  if (first !== new TextDecoder().decode(firstLine(text))) return;
  const json: Json = JSON.parse(new TextDecoder().decode(text));
  const data = bytes.subarray(start);
  if (json.of !== of || json.rowBytes !== rowBytes) return;
  if (data.length !== json.bytes || json.bytes !== rowsOf(json) * rowBytes) return;
  if (crc32(data) !== json.crc32) return;
  return { head: json, data };
}

/** What the file is, the length of its JSON, and the hash that shows damage. */
function firstLine(json: Uint8Array): Uint8Array {
  const hash = createHash("sha256").update(json).digest("hex");
  const length = String(json.length).padStart(12, "0");
  return new TextEncoder().encode(`hatchling-rows ${VERSION} ${length} ${hash}\n`);
}

const FIRST = firstLine(new Uint8Array()).length;
