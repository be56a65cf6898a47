/**
 * A cache of decoded pictures, bounded in bytes.
 *
 * @module
 */

import type { Picture } from "./image.ts";

/**
 * Keeps the first pictures that fit, and asks for the others each time; one request per picture at a time.
 *
 * Nothing is ever pushed out. Training asks for every picture once an epoch, each time in a new random
 * order: keeping a share c of them then answers c of the requests, while keeping the c most recently used
 * answers only c + (1 − c) · ln(1 − c), which is 50 % against 15 % for c = ½.
 *
 * The limit holds for what is kept. Pictures on their way to somebody are not counted: as many are under
 * way as the loader prefetches.
 */
export class PictureCache {
  readonly #limit: number;
  readonly #load: (i: number) => Promise<Picture>;
  readonly #kept = new Map<number, Picture>();
  readonly #loading = new Map<number, Promise<Picture>>();
  #bytes = 0;

  /**
   * Starts empty.
   *
   * @param limit Most bytes to keep; a picture that does not fit any more is handed on without being kept.
   * @param load Makes the picture of an index.
   */
  constructor(limit: number, load: (i: number) => Promise<Picture>) {
    this.#limit = limit;
    this.#load = load;
  }

  /** Bytes of the pictures that are kept, never more than the limit. */
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
    if (kept) return kept;
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
    const bytes = this.#bytes + picture.data.byteLength;
    if (bytes > this.#limit) return;
    this.#kept.set(i, picture);
    this.#bytes = bytes;
  }
}
