/**
 * What comes back from the device: values of tensors, and with them how long submissions took.
 *
 * @module
 */
import { DeviceError } from "../errors.ts";
import type { Pace } from "./pace.ts";
import { StagingRing } from "./staging.ts";
import type { Stopwatch } from "./stopwatch.ts";
import { roundUp, type Tensor } from "./tensor.ts";

/** What of a GPU reading needs. */
export interface Readable {
  /** The device. */
  readonly device: GPUDevice;
  /** Learns how long submissions took. */
  readonly pace: Pace;
  /** Tells it. */
  readonly stopwatch: Stopwatch;
  /** Throws what the device has reported. */
  check(): void;
}

/** Copies bytes to a staging buffer. */
type Copy = (encoder: GPUCommandEncoder, staging: GPUBuffer) => void;

/** Reads from one device. */
export class Readback {
  readonly #gpu: Readable;
  readonly #settle: () => Promise<void>;
  readonly #staging: StagingRing;

  /** `settle` submits what is queued, and throws what compiling has found. */
  constructor(gpu: Readable, settle: () => Promise<void>) {
    this.#gpu = gpu;
    this.#settle = settle;
    this.#staging = new StagingRing(gpu.device);
  }

  /** Asks for values, as f32; resolves when they are copied, so that more may be submitted while they come. */
  async read(tensors: readonly Tensor[]): Promise<{ values: Promise<Float32Array[]> }> {
    if (!tensors.length) return { values: Promise.resolve([]) };
    const total = tensors.reduce((sum, t) => sum + roundUp(t.bytes, 16), 0);
    const copy: Copy = (encoder, staging) => {
      let at = 0;
      for (const t of tensors) {
        const { buffer, offset } = t.binding();
        encoder.copyBufferToBuffer(buffer, offset!, staging, at, roundUp(t.bytes, 4));
        at += roundUp(t.bytes, 16);
      }
    };
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const values = this.#wait(total, copy, (bytes) => {
      let at = 0;
      return tensors.map((t) => {
        const from = at;
        at += roundUp(t.bytes, 16);
        const own = bytes.slice(from, from + t.bytes);
        return t.dtype === "f16" ? Float32Array.from(new Float16Array(own)) : new Float32Array(own);
      });
    }, resolve);
    await Promise.race([asked, values]);
    return { values };
  }

  /** Waits for all that was submitted, and brings the times of the submissions where they are measured. */
  async wait(): Promise<void> {
    const { device, pace, stopwatch } = this.#gpu;
    if (stopwatch.bytes) return await this.#wait(0, () => {}, () => {});
    await this.#settle();
    const done = pace.waits();
    await device.queue.onSubmittedWorkDone();
    this.#gpu.check();
    done(true);
  }

  /**
   * Waits for all that was submitted, and brings what was copied along with the times of the submissions.
   *
   * @param total Bytes that `copy` fills.
   * @param asked Called when the values were asked for, after which more may be submitted.
   */
  async #wait<T>(
    total: number,
    copy: Copy,
    take: (bytes: ArrayBuffer) => T,
    asked?: () => void,
  ): Promise<T> {
    const { device, pace, stopwatch } = this.#gpu;
    await this.#settle();
    const size = total + stopwatch.bytes;
    const staging = this.#staging.take(size);
    let broken = true;
    try {
      const encoder = device.createCommandEncoder();
      copy(encoder, staging);
      const measured = stopwatch.collect(encoder, staging, total);
      device.queue.submit([encoder.finish()]);
      const done = pace.waits();
      const mapped = staging.mapAsync(1, /* GPUMapMode.READ */ 0, size).catch(async (error) => {
        // The loss of the device is told while one waits for it.
        await device.queue.onSubmittedWorkDone();
        this.#gpu.check();
        throw new DeviceError(`Reading from the GPU failed: ${error.message}`);
      });
      asked?.();
      await mapped;
      this.#gpu.check();
      const bytes = staging.getMappedRange(0, size);
      if (measured) measured(bytes.slice(total, size), pace);
      done(!measured);
      const values = take(bytes);
      broken = false;
      return values;
    } finally {
      this.#staging.give(staging, broken);
    }
  }

  /** Frees its buffers. */
  destroy(): void {
    this.#staging.destroy();
  }
}
