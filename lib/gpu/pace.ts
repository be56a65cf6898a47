/**
 * How long dispatches take here: measured while they run, so that what is submitted at once can be kept short.
 *
 * @module
 */
import type { Pipeline } from "./kernel.ts";
import type { Tensor } from "./tensor.ts";

/** Milliseconds that a submission should last at most, unless somebody says otherwise. */
export const MAX_SUBMIT_MS = 100;

/**
 * Milliseconds per unit of work, a FLOP or a byte bound, of a kernel that has not run yet: 10 G units a second, which
 * the slowest GPU does, so that what runs first is too small rather than too large.
 */
const UNKNOWN = 1e-7;
/** Share of a time that measuring it may be off, and milliseconds. */
const NOISE = 0.15, LEAST_NOISE = 0.02;
/** A time within this share of what was expected teaches nothing. */
const CLOSE = 0.05;
/** Share of a rate by which it may have changed since it was measured: other programs, heat. */
const DRIFT = 0.05, JUMP = 0.3;
/** Milliseconds that a dispatch of an unknown kernel may take however small it is. */
const OVERHEAD = 0.3;

/** What one kernel needs per unit of work, for work of about one size. */
export interface Rate {
  /** The kernel's name. */
  readonly kernel: string;
  /** Milliseconds per unit, the estimate. */
  ms: number;
  /** Its variance. */
  variance: number;
  /** Whether it was measured. */
  known: boolean;
}

/** What a dispatch's work is guessed from. */
export interface Costly {
  /** Its kernel. */
  readonly pipeline: Pipeline;
  /** Its floating-point operations. */
  readonly flops: number;
  /** What it binds. */
  readonly tensors: readonly Tensor[];
}

/** The work of a dispatch. */
export interface Cost {
  /** What a unit of it takes. */
  readonly rate: Rate;
  /** Its units. */
  readonly units: number;
}

/** What was submitted at once. */
export interface Submission {
  /** Its dispatches. */
  readonly costs: readonly Cost[];
  /** Milliseconds that it was expected to last. */
  readonly expected: number;
  /** Whether a kernel of it had never run: its time then holds what compiling took in the driver. */
  readonly first: boolean;
  /** When, in milliseconds. */
  readonly at: number;
  /** Milliseconds that it lasted, once that is known. */
  ms?: number;
}

/** Milliseconds that a wait may last longer than what it waits for. */
const WAIT = 12;

/** Work of about one size, a factor of four; large work is all alike. */
const sizeClass = (units: number) => Math.min(12, Math.floor(Math.log2(units) / 2));

/**
 * Rates of all kernels of a device. Each measured submission is one equation for the rates of the kernels in it; they
 * are its solution by a Kalman filter with a diagonal covariance, so that what is well known changes little and what
 * is not takes the blame.
 */
export class Pace {
  /** Milliseconds that a submission should last at most. */
  maxMs: number = MAX_SUBMIT_MS;
  /** The submission that lasted longest; those in which kernels ran for the first time stand apart, in `longestFirst`. */
  longest?: Submission;
  /** The longest of those in which a kernel ran for the first time. */
  longestFirst?: Submission;
  /** What was submitted last. */
  last?: Submission;
  /** Milliseconds of work, as expected, that were submitted since the device was last known to be idle. */
  queued = 0;
  readonly #rates = new Map<Pipeline, Map<number, Rate>>();
  readonly #now: () => number;
  #recent?: Submission;
  #running: Submission[] = [];
  #idleSince = -Infinity;

  /** Knows nothing yet; `now` tells the time in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The cost of a dispatch: FLOPs, and bytes where it does little else than move them. */
  costOf({ pipeline, flops, tensors }: Costly, share = 1): Cost {
    const units = Math.max(1, share * tensors.reduce((sum, t) => sum + t.bytes, flops));
    return { units, rate: this.#rateOf(pipeline, units) };
  }

  /** Milliseconds that a dispatch is expected to take. */
  expected({ rate, units }: Cost): number {
    return rate.ms * units;
  }

  /**
   * How many parts a dispatch of a cost is to be divided into, a power of two, so that none lasts too long.
   *
   * @param most Parts that it can be divided into.
   */
  parts(dispatch: Costly, cost: Cost, most: number): number {
    let parts = 1;
    for (
      ;
      this.expected(cost) > this.maxMs && parts < most;
      cost = this.costOf(dispatch, 1 / parts)
    ) {
      parts *= 2;
    }
    return parts;
  }

  /** Notes what is submitted. */
  submit(costs: readonly Cost[], expected: number): Submission {
    const first = costs.some(({ rate }) => !rate.known);
    this.queued += expected;
    this.last = { costs, expected, first, at: this.#now() };
    this.#running.push(this.last);
    return this.last;
  }

  /**
   * Begins a wait for all that was submitted.
   *
   * @returns To be called when it is over, with whether its length is all that is known of the times.
   */
  waits(): (byItsLength: boolean) => void {
    const running = this.#running, { queued } = this;
    this.#running = [];
    return (byItsLength) => {
      this.queued = Math.max(0, this.queued - queued);
      const start = Math.max(running[0]?.at ?? 0, this.#idleSince);
      this.#idleSince = this.#now();
      if (byItsLength && running.length) this.#waited(running, this.#idleSince - start);
    };
  }

  /** Learns from the length of a wait, which is more than what it waited for. */
  #waited(running: readonly Submission[], ms: number): void {
    const expected = running.reduce((sum, submission) => sum + submission.expected, 0);
    const first = running.some((submission) => submission.first);
    for (const submission of running) this.#note(submission, ms * submission.expected / expected);
    if (ms > expected && ms < expected + WAIT && !first) return;
    this.learn(running.flatMap(({ costs }) => costs), ms);
  }

  /** Learns from the time that a submission took. */
  measured(submission: Submission, ms: number): void {
    this.#note(submission, ms);
    this.learn(submission.costs, ms);
  }

  #note(submission: Submission, ms: number): void {
    submission.ms = ms;
    if (submission.first) {
      if (ms > (this.longestFirst?.ms ?? 0)) this.longestFirst = submission;
    } else {
      if (ms > (this.longest?.ms ?? 0)) this.longest = submission;
      if (ms > (this.#recent?.ms ?? 0)) this.#recent = submission;
    }
  }

  /** The longest submission since this was last asked, in milliseconds. */
  takeLongest(): number | undefined {
    const ms = this.#recent?.ms;
    this.#recent = undefined;
    return ms;
  }

  /** Learns that some dispatches took so long together. */
  learn(costs: readonly Cost[], ms: number): void {
    let expected = 0, unknown = false;
    const unitsOf = new Map<Rate, number>();
    for (const { rate, units } of costs) {
      unitsOf.set(rate, (unitsOf.get(rate) ?? 0) + units);
      unknown ||= !rate.known;
      expected += rate.ms * units;
    }
    const off = ms - expected;
    if (!unknown && Math.abs(off) < CLOSE * expected) return;
    // Far off, something has changed: then all rates are open to doubt.
    const change = Math.abs(off) > expected / 2
      ? JUMP * Math.max(1, Math.abs(off) / expected)
      : DRIFT;
    let total = (NOISE * ms + LEAST_NOISE) ** 2;
    for (const [rate, units] of unitsOf) {
      rate.variance = Math.max(rate.variance, (change * rate.ms) ** 2);
      total += rate.variance * units * units;
    }
    for (const [rate, units] of unitsOf) {
      const gain = rate.variance * units / total;
      // One odd time may not make a kernel free.
      rate.ms = Math.max(rate.ms + gain * off, rate.ms / (rate.known ? 4 : 1e4));
      rate.variance *= 1 - gain * units;
      rate.known = true;
    }
  }

  #rateOf(pipeline: Pipeline, units: number): Rate {
    const whole = pipeline.whole ?? pipeline;
    let sizes = this.#rates.get(whole);
    if (!sizes) this.#rates.set(whole, sizes = new Map());
    const size = sizeClass(units);
    let rate = sizes.get(size);
    if (!rate) {
      // As for other sizes, until it has run itself.
      const near = [...sizes].filter(([, { known }]) => known)
        .sort(([a], [b]) => Math.abs(a - size) - Math.abs(b - size))[0]?.[1];
      const ms = near?.ms ?? UNKNOWN;
      const variance = Math.max(4 * ms, OVERHEAD / units) ** 2;
      rate = { kernel: whole.name, ms, variance, known: !!near };
      sizes.set(size, rate);
    }
    return rate;
  }
}

/** Kernels of a submission in words: the first, how many lie between, the last. */
export function kernelsOf({ costs }: Submission): string {
  const names = costs.map(({ rate }) => rate.kernel);
  if (names.length < 2) return names[0] ?? "nothing";
  return `${names[0]} … ${names.at(-1)}, ${names.length} dispatches`;
}
