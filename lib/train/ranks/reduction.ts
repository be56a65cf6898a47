/**
 * The sum of all ranks' gradients, and of what their losses leave, within a step.
 *
 * @module
 */
import type { Gpu, Program, Tensor } from "../../gpu.ts";
import type { Parameters } from "../../model.ts";
import type { Ranks } from "../ranks.ts";
import { type Bucket, bucketsOf } from "./buckets.ts";
import { HalfSum } from "./half_sum.ts";
import { pack, unpack } from "./pack.ts";

/** Most numbers that a rank tells the others with every step. */
export const NOTES = 8;

/** Milliseconds of a wait for the GPU from which on it had work. */
const BUSY = 1;

/**
 * Adds up gradients in buckets as the last micro-batch's backward pass makes them final, each while the GPU makes the
 * next. The last bucket, and the sums of losses, come when the pass has ended.
 */
export class Reduction {
  readonly #gpu: Gpu;
  readonly #ranks: Ranks;
  readonly #microStep: Program<unknown>;
  readonly #buckets: readonly Bucket[];
  readonly #sums: readonly Tensor[];
  /** What adds buckets up where they are sent as halves. */
  readonly #halves: ReadonlyMap<Bucket, HalfSum>;
  #isLast = false;
  /** The bucket that is being added up; how long that took. */
  #pending?: { bucket: Bucket; added: Promise<number> };
  #rest: Float32Array[] = [];
  #begun = 0;

  /**
   * Has the program of a micro-step send what is final.
   *
   * @param sums What micro-batches add to beside gradients.
   */
  constructor(
    gpu: Gpu,
    ranks: Ranks,
    { student, sums, microStep }: {
      student: Parameters;
      sums: readonly Tensor[];
      microStep: Program<unknown>;
    },
  ) {
    this.#gpu = gpu;
    this.#ranks = ranks;
    this.#sums = sums;
    this.#microStep = microStep;
    this.#buckets = bucketsOf(student, microStep, ranks.leastBucket);
    const { comm, communication } = ranks;
    this.#halves = new Map(
      communication === "f16"
        ? this.#buckets.map((bucket) => [bucket, new HalfSum(comm, bucket.size)])
        : [],
    );
    for (const bucket of this.#buckets.slice(0, -1)) {
      microStep.pauseAt(bucket.at, () => this.#send(bucket));
    }
  }

  /** Gradients that are sent together, in numbers. */
  get buckets(): readonly number[] {
    return this.#buckets.map(({ size }) => size);
  }

  /** Numbers that are added up at the end of every step: what losses leave, times, notes. */
  get small(): number {
    const sums = this.#sums.reduce((all, { size }) => all + size, 0);
    return sums + this.#ranks.size * (NOTES + 1);
  }

  /** Begins a micro-batch; gradients are final in the last one of a step. */
  begin({ isFirst, isLast }: { isFirst: boolean; isLast: boolean }): void {
    this.#isLast = isLast;
    if (!isFirst) return;
    this.#begun = performance.now();
    this.#ranks.waited = 0;
  }

  /**
   * Waits for the end of the backward pass, then adds up what the losses leave, and tells notes. Gradients of the last
   * bucket are added by {@linkcode Reduction.end}: until then the step can be left.
   *
   * @param notes This rank's, {@linkcode NOTES} at most.
   * @returns Those of all ranks.
   */
  async finish(notes: readonly number[]): Promise<Float32Array[]> {
    const ranks = this.#ranks, { size, rank } = ranks;
    const last = this.#buckets.at(-1)!;
    const values = await (await this.#read([...last.tensors, ...this.#sums])).values;
    const computeMs = performance.now() - this.#begun - ranks.waited;
    this.#rest = values.slice(0, last.tensors.length);
    const told = new Float32Array(size * (NOTES + 1)); // the time comes first
    told.set([computeMs, ...notes], rank * (NOTES + 1));
    const packed = pack([...values.slice(last.tensors.length), told]);
    const start = performance.now();
    await ranks.comm.allreduceSum(packed);
    ranks.spent({ comm_wait_ms: performance.now() - start, comm_bytes: packed.byteLength });
    unpack(packed, this.#sums);
    const all = Array.from({ length: size }, (_, r) => {
      const from = packed.length - (size - r) * (NOTES + 1);
      return packed.slice(from, from + NOTES + 1);
    });
    ranks.computeMs = all.map(([ms]) => ms);
    return all.map((own) => own.subarray(1));
  }

  /** Adds up the last bucket: then all gradients are there. */
  async end(): Promise<void> {
    await this.#add(this.#buckets.at(-1)!, this.#rest);
    this.#rest = [];
    this.#ranks.stepped();
  }

  /** Sends a bucket whose gradients are final, once the one before has been added up. */
  async #send(bucket: Bucket): Promise<void> {
    if (!this.#isLast) return;
    const { values } = await this.#read(bucket.tensors);
    this.#pending = {
      bucket,
      added: this.#ranks.later(values, (values) => this.#add(bucket, values)),
    };
  }

  /** Asks for values once no bucket is under way any more; notes how much of that the GPU did not wait for. */
  async #read(tensors: readonly Tensor[]): Promise<{ values: Promise<Float32Array[]> }> {
    const pending = this.#pending, start = performance.now();
    const ms = await pending?.added ?? 0, added = performance.now();
    this.#ranks.waited += added - start;
    const reading = await this.#gpu.readSoon(tensors);
    if (pending) {
      const isBusy = performance.now() - added > BUSY, { bucket: { at } } = pending;
      const next = this.#buckets[this.#buckets.indexOf(pending.bucket) + 1].at;
      const work = this.#microStep.expectedMs(at, next);
      this.#ranks.spent({ comm_hidden_ms: isBusy ? ms : Math.min(ms, work) });
    }
    this.#pending = undefined;
    return reading;
  }

  /** Milliseconds that it took. */
  async #add(bucket: Bucket, values: readonly Float32Array[]): Promise<number> {
    const packed = pack(values), halves = this.#halves.get(bucket);
    const start = performance.now();
    const comm_bytes = await halves?.add(packed) ?? packed.byteLength;
    if (!halves) await this.#ranks.comm.allreduceSum(packed);
    const comm_ms = performance.now() - start;
    this.#ranks.spent({ comm_ms, comm_bytes });
    unpack(packed, bucket.tensors);
    return comm_ms;
  }
}
