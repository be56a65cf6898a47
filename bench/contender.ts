/**
 * What takes part in the benchmark: this project and its peers alike.
 *
 * @module
 */
import type { Job } from "./jobs.ts";

/** A job made ready by a contender. */
export interface Subject {
  /** Operations that one run makes. */
  readonly per: number;
  /** Floating-point operations of one of them, where it counts them itself. */
  readonly flops?: number;
  /** Queues `n` runs, waits once at the end, and returns the milliseconds that the work took. */
  run(n: number): Promise<number>;
  /** The first results, to be compared between contenders. A step gives the loss of its first run. */
  sample(): Promise<number[]>;
  /** Frees what it holds. */
  destroy(): void;
}

/** A library that can be asked for jobs. */
export interface Contender {
  /** Its name in tables. */
  readonly name: string;
  /** Its version, and what matters besides. */
  readonly version: string;
  /** Makes a job ready; undefined when the library has nothing for it. */
  prepare(job: Job): Promise<Subject | undefined>;
  /** Ends it. */
  close(): void;
}

/** How many results {@linkcode Subject.sample} gives. */
export const SAMPLES = 4;

/** A subject whose runs go into a queue of the GPU. */
export function queued(
  wait: () => Promise<unknown>,
  waitMs: number,
  once: () => void,
  rest: Omit<Subject, "run">,
): Subject {
  return {
    ...rest,
    async run(n) {
      const start = performance.now();
      for (let i = 0; i < n; i++) once();
      await wait();
      return Math.max(0, performance.now() - start - waitMs);
    },
  };
}

/** Waits for the queue of a peer's device; what the device complained of meanwhile is thrown. */
export function watched(device: GPUDevice): () => Promise<void> {
  let complaint: string | undefined;
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault();
    complaint ??= (event as GPUUncapturedErrorEvent).error.message;
  });
  return async () => {
    await device.queue.onSubmittedWorkDone();
    const message = complaint;
    complaint = undefined;
    if (message) throw new Error(message);
  };
}

/** What waiting for an empty queue costs: Deno polls it, about 11 ms apart. */
export async function emptyWait(wait: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await wait();
    times.push(performance.now() - start);
  }
  return Math.min(...times);
}
