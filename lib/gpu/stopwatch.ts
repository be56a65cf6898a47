/**
 * Times of submissions by the device's own clock, read with whatever the host waits for anyway.
 *
 * @module
 */
import type { Pace, Submission } from "./pace.ts";

/** Submissions that are timed between two waits; the others go untimed. */
const MOST = 512;
/** Bytes of a submission's two times. */
const BYTES = 16;
/** Longer is no time but a fault of the clock, in milliseconds. */
const LONGEST = 1e6;
/** Faulty times in a row after which the clock is no longer asked. */
const FAULTS = 8;

/** Times submissions where the device has timestamps. */
export class Stopwatch {
  readonly #device: GPUDevice;
  #querySet?: GPUQuerySet;
  #resolved?: GPUBuffer;
  #running: Submission[] = [];
  #next = 0;
  #faults = 0;

  /** A stopwatch of a device. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Whether the device's clock can be asked. */
  get works(): boolean {
    return this.#faults < FAULTS && this.#device.features.has("timestamp-query");
  }

  /** Where the next submission's passes write their times: the first one its begin, the last one its end. */
  begin(): { querySet: GPUQuerySet; begin: number; end: number } | undefined {
    if (!this.works || this.#next >= MOST) return undefined;
    this.#querySet ??= this.#device.createQuerySet({ type: "timestamp", count: 2 * MOST });
    const at = 2 * this.#next++;
    return { querySet: this.#querySet, begin: at, end: at + 1 };
  }

  /** The submission that {@linkcode begin} was called for. */
  started(submission: Submission): void {
    this.#running.push(submission);
  }

  /** Bytes that {@linkcode collect} needs. */
  get bytes(): number {
    return this.#running.length * BYTES;
  }

  /**
   * Has the times copied to a buffer, for `finish` to be given what is then there.
   *
   * @returns Undefined when there are none.
   */
  collect(
    encoder: GPUCommandEncoder,
    to: GPUBuffer,
    offset: number,
  ): ((times: ArrayBuffer, pace: Pace) => void) | undefined {
    const running = this.#running, { bytes } = this;
    if (!bytes) return undefined;
    this.#resolved ??= this.#device.createBuffer({ size: MOST * BYTES, usage: 0x200 | 0x04 });
    encoder.resolveQuerySet(this.#querySet!, 0, 2 * running.length, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, to, offset, bytes);
    [this.#running, this.#next] = [[], 0];
    return (buffer, pace) => {
      const times = new BigUint64Array(buffer, 0, 2 * running.length);
      running.forEach((submission, i) => {
        const ms = Number(times[2 * i + 1] - times[2 * i]) / 1e6;
        const sound = ms > 0 && ms < LONGEST;
        this.#faults = sound ? 0 : this.#faults + 1;
        if (sound) pace.measured(submission, ms);
      });
    };
  }

  /** Frees the clock's memory. */
  destroy(): void {
    this.#querySet?.destroy();
    this.#resolved?.destroy();
  }
}
