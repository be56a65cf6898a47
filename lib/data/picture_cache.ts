/**
 * A cache of decoded pictures, bounded in bytes.
 *
 * @module
 */

import type { Picture } from "./image.ts";

/** Keeps the most recently used pictures and asks for the others; one request per picture at a time. */
export class PictureCache {
  readonly #limit: number;
  readonly #load: (i: number) => Promise<Picture>;
  readonly #kept = new Map<number, Picture>(); // least recently used first
  readonly #loading = new Map<number, Promise<Picture>>();
  #bytes = 0;

  /**
   * Starts empty.
   *
   * @param limit Most bytes to keep; a picture larger than this is handed on without being kept.
   * @param load Makes the picture of an index.
   */
  constructor(limit: number, load: (i: number) => Promise<Picture>) {
    this.#limit = limit;
    this.#load = load;
  }

  /** Bytes of the pictures that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The picture of an index; rejects as `load` does, and forgets that.
   *
   * @param i Index.
   */
  get(i: number): Picture | Promise<Picture> {
    const kept = this.#kept.get(i);
    if (kept) {
      this.#kept.delete(i);
      this.#kept.set(i, kept);
      return kept;
    }
    let loading = this.#loading.get(i);
    if (!loading) {
      loading = this.#load(i).then((picture) => {
        this.#keep(i, picture);
        return picture;
      }).finally(() => this.#loading.delete(i));
      this.#loading.set(i, loading);
    }
    return loading;
  }

  /** Drops everything. */
  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }

  #keep(i: number, picture: Picture): void {
    if (picture.data.byteLength > this.#limit) return;
    this.#kept.set(i, picture);
    this.#bytes += picture.data.byteLength;
    for (const [oldest, { data }] of this.#kept) {
      if (this.#bytes <= this.#limit) return;
      this.#kept.delete(oldest);
      this.#bytes -= data.byteLength;
    }
  }
}
