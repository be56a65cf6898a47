/**
 * The bytes of a pickle, read from front to back: numbers, texts and lines.
 *
 * @module
 */
import type { Fail } from "./zip.ts";

/** What a reader of bytes cannot decide. */
export interface PickleErrors {
  /** Throws an error that names the file. */
  fail: Fail;
  /** Called where the bytes end too early. */
  cutOff: () => never;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of bytes that each are a character. */
export const latin1 = new TextDecoder("latin1");

/** A place in bytes that moves on with what is read. */
export class PickleBytes {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #errors: PickleErrors;
  #at: number;

  /** Reads from a byte on. */
  constructor(bytes: Uint8Array, errors: PickleErrors, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#errors = errors;
    this.#at = at;
  }

  /** The next byte to be read. */
  get at(): number {
    return this.#at;
  }

  /** Where the next bytes begin; they are taken. */
  take(count: number): number {
    const at = this.#at;
    if (!(count <= this.#bytes.length - at)) this.#errors.cutOff();
    this.#at += count;
    return at;
  }

  /** A byte. */
  byte(): number {
    return this.#bytes[this.take(1)];
  }

  /** A signed number of 4 bytes. */
  int32(): number {
    return this.#view.getInt32(this.take(4), true);
  }

  /** A float of 8 bytes, the highest first. */
  float64(): number {
    return this.#view.getFloat64(this.take(8));
  }

  /** An unsigned number of 1, 2, 4 or 8 bytes. */
  length(size: 1 | 2 | 4 | 8): number {
    const at = this.take(size);
    if (size === 8) return Number(this.#view.getBigUint64(at, true));
    if (size === 4) return this.#view.getUint32(at, true);
    return size === 2 ? this.#view.getUint16(at, true) : this.#bytes[at];
  }

  /** A signed number of so many bytes; undefined where there are more than 8, which are passed over. */
  long(size: number): number | undefined {
    const at = this.take(size);
    if (size > 8) return undefined;
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = value << 8n | BigInt(this.#bytes[at + i]);
    return Number(BigInt.asIntN(8 * size, value));
  }

  /** A text behind its length; Python 2's are bytes, of which each becomes a character unless they are UTF-8. */
  text(size: 1 | 4 | 8, otherwise?: TextDecoder): string {
    const length = this.length(size);
    const at = this.take(length);
    const bytes = this.#bytes.subarray(at, at + length);
    try {
      return utf8.decode(bytes);
    } catch {
      return otherwise
        ? otherwise.decode(bytes)
        : this.#errors.fail("it holds text that is no UTF-8");
    }
  }

  /** A line of so many bytes at most. */
  line(most: number): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    const length = (end < 0 ? this.#bytes.length : end) - this.#at;
    if (length > most) this.#errors.fail("it holds a name without an end");
    if (end < 0) this.#errors.cutOff();
    const at = this.take(length + 1);
    return latin1.decode(this.#bytes.subarray(at, at + length));
  }
}
