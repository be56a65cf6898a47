/**
 * Bytes to read from at any place; those in memory.
 *
 * @module
 */
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
