/**
 * Ranks that share every step: each has its part of every micro-batch, and all do the same update.
 *
 * @module
 */
import type { Comm } from "../comm.ts";

/** What gradients are sent as: f32, or f16 with what that loses carried over to the next step. */
export type Communication = "f32" | "f16";

/**
 * A bucket costs its waits for the GPU, about 11 ms in Deno, though the GPU has work meanwhile. Nothing measured decides,
 * as some libraries add in an order that depends on where a number lies.
 */
const LEAST_BUCKET = 2 ** 20;

/** How ranks share a step. */
export interface RanksOptions {
  /** What gradients are sent as; f32 by default. */
  communication?: Communication;
  /** Fewest numbers of gradients that are sent together, while the GPU makes the next; 2^20 by default. */
  leastBucket?: number;
}

/** What sharing a step costs a rank: means over steps, times in milliseconds. */
export interface RankTimes {
  /** Bytes of its gradients, sums and rows that go into communication. */
  comm_bytes: number;
  /** Time that gradients took to be added up. */
  comm_ms: number;
  /** The part of it in which its GPU had work. */
  comm_hidden_ms: number;
  /** Time that it waited for the others where little is sent: until the slowest had come. */
  comm_wait_ms: number;
}

/**
 * The ranks of a data-parallel run, for `TrainerOptions.ranks`. `data.batch_size` is then that of all ranks together:
 * rank r of N has the pictures r·B/N and on of every micro-batch, and N ranks compute what one would, up to the rounding
 * of sums.
 *
 * @example
 * ```ts
 * import { openComm } from "@hatchling/hatchling/comm";
 * import { Ranks } from "@hatchling/hatchling/train";
 *
 * const ranks = new Ranks(await openComm({ env: {} })); // without env: under mpirun its ranks
 * console.assert(ranks.rank === 0 && ranks.size === 1);
 * await ranks.comm.close();
 * ```
 *
 * @category Training
 */
export class Ranks {
  /** What carries numbers between them. */
  readonly comm: Comm;
  /** What gradients are sent as. */
  readonly communication: Communication;
  /** Fewest numbers of gradients that are sent together, but for the last ones. */
  readonly leastBucket: number;
  /** Milliseconds that each rank worked on the last step, without what it waited for others. */
  computeMs: readonly number[] = [];
  /**
   * Milliseconds that this rank has waited for others in the micro-batches of the step under way.
   * @internal
   */
  waited = 0;
  #steps = 0;
  #sums: RankTimes = zeros();
  #last: Promise<unknown> = Promise.resolve();

  /** Sends gradients as they are unless `communication` says otherwise. */
  constructor(comm: Comm, options: RanksOptions = {}) {
    this.comm = comm;
    this.communication = options.communication ?? "f32";
    this.leastBucket = options.leastBucket ?? LEAST_BUCKET;
  }

  /** Which of the ranks this is, from 0. */
  get rank(): number {
    return this.comm.rank;
  }

  /** How many there are. */
  get size(): number {
    return this.comm.size;
  }

  /**
   * Has numbers sent as soon as they are there, in the order of these calls: it is the same on all ranks.
   * @internal
   */
  later<T, R>(values: Promise<T>, send: (values: T) => Promise<R>): Promise<R> {
    const before = this.#last;
    const mine = Promise.all([values, before]).then(([values]) => send(values));
    this.#last = mine;
    mine.catch(() => {}); // whoever waits for it hears of it
    return mine;
  }

  /**
   * Adds to what the step has cost.
   * @internal
   */
  spent(times: Partial<RankTimes>): void {
    for (const [key, value] of Object.entries(times)) this.#sums[key as keyof RankTimes] += value;
  }

  /**
   * Ends a step.
   * @internal
   */
  stepped(): void {
    this.#steps++;
  }

  /** What steps have cost since this was last asked, on average. */
  takeTimes(): RankTimes {
    const steps = Math.max(1, this.#steps), sums = this.#sums;
    [this.#steps, this.#sums] = [0, zeros()];
    for (const key of Object.keys(sums)) sums[key as keyof RankTimes] /= steps;
    return sums;
  }
}

function zeros(): RankTimes {
  return { comm_bytes: 0, comm_ms: 0, comm_hidden_ms: 0, comm_wait_ms: 0 };
}
