/**
 * The memory of a device: buffers that are counted, and freed by whoever allocated them or with the scope in which they
 * were allocated.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { Memory } from "./memory.ts";
import { checkSync, tensorsIn } from "./outputs.ts";
import type { Recorder } from "./recorder.ts";
import { roundUp, type Storage } from "./tensor.ts";

/** STORAGE | COPY_SRC | COPY_DST, written out: importing this module must not need a GPU. */
const USAGE = 0x80 | 0x04 | 0x08;

/** A buffer for tensors that nobody counts. */
export function tensorBuffer(device: GPUDevice, size: number, label: string): GPUBuffer {
  return device.createBuffer({ size, usage: USAGE, label });
}

/** Allocates on one device. */
export class Allocator {
  /** Bytes of what is allocated and not freed. */
  readonly memory: Memory = new Memory();
  readonly #device: GPUDevice;
  readonly #beforeFree: () => void;
  #scope: Set<Storage> | undefined;

  /** `beforeFree` submits what may still use the memory. */
  constructor(device: GPUDevice, beforeFree: () => void) {
    this.#device = device;
    this.#beforeFree = beforeFree;
  }

  /**
   * Zero-filled memory of at least `bytes`, owned by the recording or the scope that is under way.
   *
   * @throws {HatchlingError} When the adapter allows no buffer of that size.
   */
  allocate(bytes: number, label: string, recorder?: Pick<Recorder, "own">): Storage {
    const size = roundUp(Math.max(16, bytes), 16), { maxBufferSize } = this.#device.limits;
    if (size > maxBufferSize) {
      throw new HatchlingError(
        `${label} needs ${size} bytes in one buffer but this adapter allows ${maxBufferSize}: ` +
          "use a smaller batch, image or output dimension",
      );
    }
    const buffer = tensorBuffer(this.#device, size, label);
    this.memory.add(size);
    const storage: Storage = { buffer, bytes: size, destroyed: false, label };
    if (recorder) recorder.own(storage);
    else this.#scope?.add(storage);
    return storage;
  }

  /** Frees memory; does nothing the second time. */
  free(storage: Storage): void {
    if (storage.destroyed) return;
    storage.destroyed = true;
    if (!storage.buffer) return;
    this.#beforeFree();
    storage.buffer.destroy();
    this.memory.remove(storage.bytes);
    this.#scope?.delete(storage);
  }

  /** Runs `fn`, and has all freed that it allocates and does not return. */
  scope<T>(fn: () => T, free: (storage: Storage) => void): T {
    const outer = this.#scope;
    const mine = new Set<Storage>();
    this.#scope = mine;
    let kept = new Set<Storage>();
    try {
      const out = fn();
      checkSync("scope", out);
      kept = new Set(tensorsIn(out).map((t) => t.storage));
      return out;
    } finally {
      this.#scope = outer;
      for (const storage of mine) {
        if (kept.has(storage)) outer?.add(storage);
        else free(storage);
      }
    }
  }

  /** Runs `fn` as if no scope were under way. */
  unscoped<T>(fn: () => T): T {
    const outer = this.#scope;
    this.#scope = undefined;
    try {
      return fn();
    } finally {
      this.#scope = outer;
    }
  }
}
