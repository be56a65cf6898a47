/**
 * What is to be known of one file before it is decoded. Synchronous: for workers, or for few files.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { extname } from "node:path";
import { HatchlingError } from "../errors.ts";
import { type Header, readHeader, sniff } from "./header.ts";
import { NO_FILE, reasonOf } from "./walk.ts";

/** First read of a file. Most headers lie within it; JPEG with a preview in EXIF need more. */
const HEAD_BYTES = 4096;

/** Bytes at the beginning and at the end of a file by which it is told from others. */
const END_BYTES = 65536;

/** By what a change of a file is noticed. Times in milliseconds since 1970, as fine as `stat` gives them. */
export interface Stamp {
  /** Bytes. */
  size: number;
  /** Last change of the contents. */
  mtime: number;
  /** Last change of the contents, the name or the mode; 0 on systems that have none. */
  ctime: number;
}

/** What {@linkcode inspect} finds. */
export interface Inspected {
  /** Missing where the file could not be read. */
  stamp?: Stamp;
  /** The file is as it was at the given stamp: nothing else was looked at. */
  same?: boolean;
  /** What its first bytes say. */
  header?: Header;
  /** Why it is no picture. With neither header nor reason it does not claim to be one. */
  reason?: string;
  /** Where it lies, for a symbolic link. */
  real?: string;
}

/**
 * Reads the header of a file, unless it is as it was at a stamp.
 *
 * @param path Path of the file. One without an extension is a picture only by its first bytes.
 * @param link Whether to say where it really lies.
 * @param known Its stamp from before.
 */
export function inspect(path: string, link = false, known?: Stamp): Inspected {
  let real: string | undefined;
  try {
    if (link) real = Deno.realPathSync(path);
    const info = Deno.statSync(path); // before it is opened: opening a pipe would wait for its other end
    if (!info.isFile) return { reason: info.isDirectory ? "a folder" : NO_FILE };
    const stamp = stampOf(info);
    if (known && sameStamp(known, stamp)) return { stamp, same: true, real };
    try {
      return { stamp, header: headerOf(path), real };
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
      return { stamp, reason: error.message, real };
    }
  } catch (error) {
    return { reason: reasonOf(error, path, link), real };
  }
}

/** Whether two stamps are of the same state of a file. */
export function sameStamp(a: Stamp, b: Stamp): boolean {
  return a.size === b.size && a.mtime === b.mtime && a.ctime === b.ctime;
}

function stampOf({ size, mtime, ctime }: Deno.FileInfo): Stamp {
  return { size, mtime: mtime?.getTime() ?? 0, ctime: ctime?.getTime() ?? 0 };
}

/** Header of a file; undefined for one that does not claim to be a picture and is none. */
function headerOf(path: string): Header | undefined {
  using file = Deno.openSync(path);
  let bytes = new Uint8Array(HEAD_BYTES), length = 0;
  for (;;) {
    const read = fill(file, bytes.subarray(length));
    length += read;
    const complete = length < bytes.length;
    const head = bytes.subarray(0, length);
    if (extname(path) === "" && !sniff(head)) return;
    const header = readHeader(head, complete);
    if (header) return header;
    const longer = new Uint8Array(16 * bytes.length);
    longer.set(bytes);
    bytes = longer;
  }
}

/** Reads until a buffer is full or the file ends; returns the number of bytes. */
function fill(file: Deno.FsFile, bytes: Uint8Array): number {
  let length = 0;
  while (length < bytes.length) {
    const read = file.readSync(bytes.subarray(length)); // may give less than there is
    if (read === null) break;
    length += read;
  }
  return length;
}

/**
 * Tells files apart by their contents, in a bounded time whatever their size: SHA-256 of the size (8 bytes,
 * little-endian), the first 64 KiB and the last 64 KiB, or all bytes once of a file that is smaller than
 * both.
 *
 * @param path Path of a plain file.
 * @returns 32 bytes.
 * @throws {Error} when it cannot be read.
 *
 * @example
 * ```ts
 * import { fingerprint } from "./inspect.ts";
 *
 * const [a, b] = [await Deno.makeTempFile(), await Deno.makeTempFile()];
 * console.assert(fingerprint(a).join() === fingerprint(b).join());
 * ```
 */
export function fingerprint(path: string): Uint8Array {
  using file = Deno.openSync(path);
  const { size } = file.statSync();
  const stated = new DataView(new ArrayBuffer(8));
  stated.setBigUint64(0, BigInt(size), true);
  const hash = createHash("sha256").update(stated);
  const bytes = new Uint8Array(Math.min(size, 2 * END_BYTES));
  const first = bytes.subarray(0, END_BYTES), last = bytes.subarray(END_BYTES);
  let length = fill(file, first);
  if (last.length > 0) {
    file.seekSync(size - last.length, Deno.SeekMode.Start);
    length += fill(file, last);
  }
  return Uint8Array.from(hash.update(bytes.subarray(0, length)).digest());
}

/**
 * The place of a fingerprint in [0, 1): its first 6 bytes as a fraction of 2^48.
 *
 * @param hash At least 6 bytes, evenly distributed.
 */
export function placeOf(hash: Uint8Array): number {
  let place = 0;
  for (let i = 5; i >= 0; i--) place = (place + hash[i]) / 256;
  return place;
}
