/**
 * How two programs talk through pipes: a line of JSON, then as many bytes as its member "bytes" says.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";

/** A message: what the line says, and the numbers that follow it. */
export interface Frame<T> {
  /** The line. */
  message: T;
  /** The numbers; none where it has no "bytes". */
  values: Float32Array;
}

/** A message as bytes; numbers are little-endian float32. */
export function encodeFrame(message: object, values: readonly Float32Array[] = []): Uint8Array {
  const size = values.reduce((sum, v) => sum + v.byteLength, 0);
  const line = JSON.stringify(size ? { ...message, bytes: size } : message) + "\n";
  const head = new TextEncoder().encode(line);
  const out = new Uint8Array(head.length + size);
  out.set(head);
  let at = head.length;
  for (const v of values) {
    out.set(new Uint8Array(v.buffer, v.byteOffset, v.byteLength), at);
    at += v.byteLength;
  }
  return out;
}

/** Takes messages out of a stream, however it is cut into pieces. */
export class FrameReader {
  readonly #source: ReadableStreamDefaultReader<Uint8Array>;
  #pieces: Uint8Array[] = [];
  #held = 0;

  /** Reads from a stream that nobody else reads. */
  constructor(source: ReadableStream<Uint8Array>) {
    this.#source = source.getReader();
  }

  /**
   * Waits for the next message.
   *
   * @throws {HatchlingError} When the stream ends, or a line is no JSON.
   */
  async next<T extends object>(): Promise<Frame<T>> {
    let from = 0; // pieces known to hold no line end
    for (;;) {
      const found = this.#pieces.findIndex((piece, i) => i >= from && piece.includes(10));
      if (found >= 0) {
        const before = this.#pieces.slice(0, found).reduce((sum, p) => sum + p.length, 0);
        const line = this.#take(before + this.#pieces[found].indexOf(10) + 1);
        const message = parse<T & { bytes?: number }>(line);
        const { bytes = 0 } = message;
        while (this.#held < bytes) await this.#more();
        const body = this.#take(bytes);
        return { message, values: new Float32Array(body.buffer, 0, bytes / 4) };
      }
      from = this.#pieces.length;
      await this.#more();
    }
  }

  /** Ends the reading. */
  async close(): Promise<void> {
    await this.#source.cancel().catch(() => {});
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#source.read();
    if (done) throw new HatchlingError("Expected another message but its program has ended");
    this.#pieces.push(value);
    this.#held += value.length;
  }

  /** The first bytes, copied to a buffer of their own. */
  #take(size: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(size);
    for (let at = 0; at < size;) {
      const piece = this.#pieces[0];
      const part = piece.subarray(0, size - at);
      out.set(part, at);
      at += part.length;
      if (part.length === piece.length) this.#pieces.shift();
      else this.#pieces[0] = piece.subarray(part.length);
    }
    this.#held -= size;
    return out;
  }
}

function parse<T>(line: Uint8Array): T {
  const text = new TextDecoder().decode(line);
  try {
    return JSON.parse(text);
  } catch {
    throw new HatchlingError(`Expected a line of JSON but found ${text.trim().slice(0, 200)}`);
  }
}
