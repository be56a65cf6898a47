/**
 * An open file.
 *
 * @module
 */
import { infoOf, named } from "./deno_parts.ts";

const fs = () => process.getBuiltinModule("node:fs");

/** A file of Node that behaves as one of Deno: with a place of its own, which reads and writes move. */
export class FileOfNode {
  readonly #fd: number;
  #at = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  readSync(into: Uint8Array): number | null {
    const count = named(() => fs().readSync(this.#fd, into, 0, into.length, this.#at));
    this.#at += count;
    return count === 0 && into.length > 0 ? null : count;
  }

  read(into: Uint8Array): Promise<number | null> {
    return named(() =>
      new Promise((resolve, reject) =>
        fs().read(this.#fd, into, 0, into.length, this.#at, (error, count) => {
          if (error) return reject(error);
          this.#at += count;
          resolve(count === 0 && into.length > 0 ? null : count);
        })
      )
    );
  }

  writeSync(from: Uint8Array): number {
    const count = named(() => fs().writeSync(this.#fd, from, 0, from.length, this.#at));
    this.#at += count;
    return count;
  }

  write(from: Uint8Array): Promise<number> {
    return named(async () => await Promise.resolve(this.writeSync(from)));
  }

  seekSync(offset: number, whence: number): number {
    const from = [0, this.#at, whence === 2 ? fs().fstatSync(this.#fd).size : 0][whence];
    return this.#at = from + offset;
  }

  seek(offset: number, whence: number): Promise<number> {
    return Promise.resolve(this.seekSync(offset, whence));
  }

  statSync(): unknown {
    return named(() => infoOf(fs().fstatSync(this.#fd)));
  }

  stat(): Promise<unknown> {
    return Promise.resolve(this.statSync());
  }

  syncSync(): void {
    named(() => fs().fsyncSync(this.#fd));
  }

  sync(): Promise<void> {
    return Promise.resolve(this.syncSync());
  }

  syncDataSync(): void {
    named(() => fs().fdatasyncSync(this.#fd));
  }

  close(): void {
    fs().closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
