/**
 * Safetensors files read by their header: only the tensors that are asked for are read.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { bytesOf, type ByteSource, PIECE, sourceOf } from "./byte_source.ts";
import { type RawTensor, viewOf } from "./dtype.ts";
import {
  failer,
  type HeaderEntry,
  headerLength,
  PREFIX_BYTES,
  readHeader,
} from "./safetensors_header.ts";

/** A safetensors file whose header was read and checked. One read at a time. */
export class SafetensorsReader implements Disposable {
  /** How messages call it, usually its path. */
  readonly file: string;
  /** Length field and header as they are in the file. */
  readonly head: Uint8Array<ArrayBuffer>;
  /** What it holds, by name, in the order of the data, which fill the rest of the file. */
  readonly entries: ReadonlyMap<string, HeaderEntry>;
  /** The free texts of the header. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #source: ByteSource;

  private constructor(file: string, source: ByteSource, head: Uint8Array<ArrayBuffer>) {
    this.file = file;
    this.head = head;
    this.#source = source;
    const { entries, metadata } = readHeader(
      head.subarray(PREFIX_BYTES),
      source.size - head.length,
      failer(file, head),
    );
    this.entries = new Map(entries.map((entry) => [entry.name, entry]));
    this.metadata = metadata;
  }

  /** Reads the header; what is wrong with it is an error, and the source is closed then. */
  static async open(file: string, source: ByteSource): Promise<SafetensorsReader> {
    try {
      const start = await bytesOf(source, 0, Math.min(source.size, 512));
      const length = headerLength(start, source.size, failer(file, start));
      return new SafetensorsReader(file, source, await bytesOf(source, 0, PREFIX_BYTES + length));
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /**
   * Reads one tensor.
   *
   * @throws {HatchlingError} When there is none of this name, or the file cannot be read.
   */
  async read(name: string): Promise<RawTensor> {
    const { dtype, shape, begin, end } = this.#entry(name);
    const start = this.head.length;
    const bytes = await bytesOf(this.#source, start + begin, start + end);
    return { dtype, shape, data: viewOf(bytes, dtype) };
  }

  /** The bytes of one tensor, some at a time; each piece is valid until the next. */
  async *pieces(name: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const { begin, end } = this.#entry(name);
    const buffer = new Uint8Array(Math.min(PIECE, end - begin));
    for (let at = begin; at < end; at += PIECE) {
      const piece = buffer.subarray(0, Math.min(PIECE, end - at));
      await this.#source.read(piece, this.head.length + at);
      yield piece;
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#source.close();
  }

  #entry(name: string): HeaderEntry {
    const entry = this.entries.get(name);
    if (entry) return entry;
    throw new HatchlingError(`Expected a tensor ${shown(name)} in ${shown(this.file)}: none there`);
  }
}

/** A reader of a file that is in memory; tensors are views of `bytes` where the element size allows it. */
export async function readerOf(
  bytes: Uint8Array<ArrayBuffer>,
  file: string,
): Promise<SafetensorsReader> {
  return await SafetensorsReader.open(file, sourceOf(bytes));
}
