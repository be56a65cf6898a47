/**
 * The IDX file format: arrays of bytes behind a header of sizes.
 *
 * Source of the format: LeCun, Cortes and Burges, "The MNIST database" (two zero bytes, a type, the number of
 * dimensions, each dimension as a big-endian u32, the elements with the last dimension fastest).
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { hex, shown } from "../text.ts";
import { fileError, statFile } from "../io/files.ts";

/** What an IDX file of unsigned bytes holds. */
export interface IdxArray {
  /** Sizes. */
  shape: number[];
  /** Elements, the last dimension fastest. */
  data: Uint8Array;
}

/** Most bytes of pictures or labels, 4 GiB: all are in memory. */
const MAX_BYTES = 2 ** 32;

const UNSIGNED_BYTE = 0x08;
const TYPES: Record<number, string> = {
  0x09: "signed bytes",
  0x0b: "16-bit integers",
  0x0c: "32-bit integers",
  0x0d: "32-bit floats",
  0x0e: "64-bit floats",
};

/**
 * Reads an IDX file of unsigned bytes. No more is read, or unpacked, than its header states.
 *
 * @param path Path of the file; ".gz" at its end means that it is compressed.
 * @param dimensions Numbers of dimensions that will do.
 * @throws {HatchlingError} naming file, offset, what was expected and what was found, when it cannot be read,
 * is no such file, or is shorter or longer than its header says.
 */
export async function readIdx(path: string, dimensions: readonly number[]): Promise<IdxArray> {
  const chunks: Uint8Array[] = [];
  let length = 0, shape: number[] | undefined, size = Infinity;
  try {
    for await (const chunk of await contents(path)) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_BYTES) {
        throw new HatchlingError(
          `Expected at most ${MAX_BYTES} bytes in ${
            shown(path)
          }, as they are kept in memory, but found more: ` +
            `split it, or give pictures as files`,
        );
      }
      shape ??= readShape(path, head(chunks), dimensions);
      if (shape) size = headerLength(shape) + shape.reduce((product, n) => product * n);
      if (length > size) break;
    }
  } catch (error) {
    if (path.endsWith(".gz") && error instanceof TypeError) {
      throw new HatchlingError(
        `Expected gzip data in ${
          shown(path)
        } but its contents break off or are damaged at byte ${length} of ` +
          `what is unpacked (${error.message}): copy or download the file again`,
      );
    }
    throw fileError("read", path, error);
  }
  if (!shape) {
    throw new HatchlingError(
      `Expected an IDX header of at least 4 + 4 × dimensions bytes in ${
        shown(path)
      } but the file ends at byte ` +
        `${length}: copy or download it again`,
    );
  }
  if (length !== size) {
    const found = length < size ? `it ends at byte ${length}` : "it goes on";
    throw new HatchlingError(
      `Expected ${shown(path)} to end at byte ${size}, as its header states ${
        shape.join(" × ")
      } bytes after ` +
        `byte ${headerLength(shape)}, but ${found}: copy or download it again`,
    );
  }
  return { shape, data: concat(chunks, length).subarray(headerLength(shape)) };
}

async function contents(path: string): Promise<ReadableStream<Uint8Array>> {
  await statFile(path);
  const { readable } = await Deno.open(path);
  return path.endsWith(".gz") ? readable.pipeThrough(new DecompressionStream("gzip")) : readable;
}

const headerLength = (shape: readonly number[]): number => 4 + 4 * shape.length;

/** The first bytes, as many as the longest header has. */
function head(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk.subarray(0, 4 + 4 * 255)]));
}

/** The sizes in a header; undefined when it is not yet complete. */
function readShape(
  path: string,
  bytes: Uint8Array,
  dimensions: readonly number[],
): number[] | undefined {
  if (bytes.length < 4) return;
  const digits = (from: number, to: number) => `0x${hex(bytes.subarray(from, to))}`;
  if (bytes[0] !== 0 || bytes[1] !== 0) {
    const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
    throw new HatchlingError(
      `Expected 0x0000 at byte 0 of ${shown(path)}, where every IDX file begins, but found ${
        digits(0, 2)
      }: ` +
        (packed ? `it is compressed, let its name end in ".gz"` : "it is another kind of file"),
    );
  }
  if (bytes[2] !== UNSIGNED_BYTE) {
    throw new HatchlingError(
      `Expected type 0x08 (unsigned bytes) at byte 2 of ${shown(path)} but found ${digits(2, 3)} (${
        TYPES[bytes[2]] ?? "unknown"
      }): convert it to unsigned bytes`,
    );
  }
  if (!dimensions.includes(bytes[3])) {
    throw new HatchlingError(
      `Expected ${dimensions.join(" or ")} dimensions at byte 3 of ${shown(path)} but found ${
        bytes[3]
      }: pictures ` +
        `are [n, height, width] or [n, height, width, channels], labels are [n]`,
    );
  }
  if (bytes.length < 4 + 4 * bytes[3]) return;
  const view = new DataView(bytes.buffer);
  const shape = Array.from({ length: bytes[3] }, (_, d) => view.getUint32(4 + 4 * d));
  const empty = shape.indexOf(0);
  if (empty >= 0) {
    throw new HatchlingError(
      `Expected a size of at least 1 at byte ${4 + 4 * empty} of ${
        shown(path)
      } but found 0: the file holds ` +
        `nothing`,
    );
  }
  return shape;
}

function concat(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
