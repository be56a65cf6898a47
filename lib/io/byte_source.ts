/**
 * Bytes to read from at any place: of a file, or in memory.
 *
 * @module
 */
import { DamagedFileError } from "../errors.ts";
import { fileError, statFile } from "./files.ts";

/** Bytes read at a time. */
export const PIECE = 1 << 24;

/** Bytes to read from. One read at a time. */
export interface ByteSource {
  /** How many. */
  size: number;
  /** Fills `into` from byte `at` on. */
  read(into: Uint8Array<ArrayBuffer>, at: number): Promise<void>;
  /** Bytes that are there already need no copy. */
  view?(begin: number, end: number): Uint8Array<ArrayBuffer>;
  /** Frees it. */
  close(): void;
}

/** Some of the bytes: a view where they are in memory, else a copy. */
export async function bytesOf(
  source: ByteSource,
  begin: number,
  end: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (source.view) return source.view(begin, end);
  const bytes = new Uint8Array(end - begin);
  await source.read(bytes, begin);
  return bytes;
}

/**
 * Opens a regular file.
 *
 * @throws {HatchlingError} When it is missing, no regular file, or cannot be read.
 */
export async function openSource(path: string): Promise<ByteSource> {
  await statFile(path);
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw fileError("read", path, error);
  }
  const read = async (into: Uint8Array, at: number) => {
    try {
      await file.seek(at, Deno.SeekMode.Start);
      for (let done = 0; done < into.length;) {
        const count = await file.read(into.subarray(done, done + PIECE));
        if (count === null) throw new Error("it has become shorter while it was read");
        done += count;
      }
    } catch (error) {
      // What a failing disk does to a file is damage, too.
      throw new DamagedFileError(fileError("read", path, error).message, { cause: error });
    }
  };
  const { size } = await file.stat();
  return { size, read, close: () => file.close() };
}

/** Bytes in memory. */
export function sourceOf(bytes: Uint8Array<ArrayBuffer>): ByteSource {
  const view = (begin: number, end: number) => bytes.subarray(begin, end);
  return {
    size: bytes.length,
    view,
    read: (into, at) => Promise.resolve(into.set(view(at, at + into.length))),
    close() {},
  };
}
