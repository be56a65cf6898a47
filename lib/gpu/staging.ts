/**
 * Buffers to read through: a ring that is used again and again, so that a training loop allocates nothing.
 *
 * @module
 */
import { roundUp } from "./tensor.ts";

/** MAP_READ | COPY_DST, written out: importing this module must not need a GPU. */
const READ = 0x01 | 0x08;
/** Smallest buffer, so that small reads of any size can share one. */
const LEAST = 64 * 1024;
/** Larger ones are not kept: checkpoints read hundreds of MiB, once in a while. */
const MOST_KEPT = 16 * 2 ** 20;
/** Idle buffers kept. */
const KEPT = 3;

/** A ring of mappable buffers on one device. */
export class StagingRing {
  readonly #device: GPUDevice;
  readonly #idle: GPUBuffer[] = [];
  #destroyed = false;

  /** An empty ring. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A buffer of at least `bytes`, unmapped, for the caller alone until it is given back. */
  take(bytes: number): GPUBuffer {
    const at = this.#idle.findIndex((buffer) => buffer.size >= bytes);
    if (at >= 0) return this.#idle.splice(at, 1)[0];
    const size = roundUp(Math.max(LEAST, bytes), 16);
    return this.#device.createBuffer({ size, usage: READ, label: "staging" });
  }

  /** Takes a buffer back, mapped or not; `broken` ones are freed. */
  give(buffer: GPUBuffer, broken = false): void {
    if (broken || this.#destroyed || buffer.size > MOST_KEPT || this.#idle.length >= KEPT) {
      buffer.destroy();
      return;
    }
    if (buffer.mapState !== "unmapped") buffer.unmap();
    this.#idle.push(buffer);
  }

  /** Frees the idle buffers; those still out are freed when they come back. */
  destroy(): void {
    this.#destroyed = true;
    for (const buffer of this.#idle.splice(0)) buffer.destroy();
  }
}
