/**
 * The live-bytes counter: WebGPU buffers are not garbage collected in time, so whoever allocates frees,
 * and tests end at 0.
 *
 * @module
 */

/** Counts the bytes of GPU buffers that are alive. */
export class Memory {
  #live = 0;
  #peak = 0;

  /** Bytes of the buffers alive now. */
  get liveBytes(): number {
    return this.#live;
  }

  /** The largest `liveBytes` so far. */
  get peakBytes(): number {
    return this.#peak;
  }

  /** Notes an allocation of `bytes`. */
  add(bytes: number): void {
    this.#live += bytes;
    this.#peak = Math.max(this.#peak, this.#live);
  }

  /** Notes that `bytes` were freed. */
  remove(bytes: number): void {
    this.#live -= bytes;
  }
}
