/**
 * The micro-batches that the batch of a step comes in: which part of it each one is, what begins anew with the first,
 * and which one's loss was not finite.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Scalar, Tensor } from "../gpu.ts";
import { clearAtFirst } from "../optim/clear.ts";
import { flagNonFinite } from "../optim/clip.ts";
import type { Ranks } from "./ranks.ts";

/** A part of a step's batch: which one, and of how many equal ones. */
export interface Share {
  /** From 0. */
  index: number;
  /** On all ranks together. */
  accumulationSteps: number;
}

/** The micro-batches of a step. */
export class MicroBatches {
  /** How many this rank has. */
  readonly count: number;
  /** As the optimiser's flag, of micro-batches in place of steps: 1 + the first one whose loss is not finite. */
  readonly flag: Tensor;
  readonly #gpu: Gpu;
  readonly #index: Scalar;
  readonly #ranks: Pick<Ranks, "rank" | "size">;

  /** `index` tells the device which micro-batch is under way. */
  constructor(
    gpu: Gpu,
    count: number,
    { index, ranks = { rank: 0, size: 1 } }: {
      index: Scalar;
      ranks?: Pick<Ranks, "rank" | "size">;
    },
  ) {
    this.#gpu = gpu;
    this.count = count;
    this.#index = index;
    this.#ranks = ranks;
    this.flag = gpu.persistent([3], "flag of micro-batches");
  }

  /** Whether a batch is made of several, on all ranks together. */
  get several(): boolean {
    return this.count * this.#ranks.size > 1;
  }

  /** Which part of a step's batch this rank has in a micro-batch. */
  share(microBatch: number): Share {
    const { rank, size } = this.#ranks;
    return { index: microBatch * size + rank, accumulationSteps: this.count * size };
  }

  /**
   * Refuses what is none of them.
   *
   * @throws {HatchlingError} When there is no such micro-batch.
   */
  check(microBatch: number): void {
    const last = this.count - 1;
    if (Number.isInteger(microBatch) && microBatch >= 0 && microBatch <= last) return;
    throw new HatchlingError(
      `Trainer: expected a micro-batch from 0 to ${last} but found ${microBatch}: ` +
        "a step has as many as the trainer's accumulationSteps says",
    );
  }

  /** Dispatches the start of one: what all of them add to is cleared at the first. */
  begin(sums: readonly Tensor[]): void {
    for (const tensor of [...sums, this.flag]) clearAtFirst(this.#gpu, tensor, this.#index);
  }

  /** Dispatches a look at the losses that have been added to. */
  flagLosses(losses: readonly Tensor[]): void {
    for (const values of losses) {
      flagNonFinite(this.#gpu, this.flag, { values, first: 0, step: this.#index });
    }
  }

  /** Frees what it keeps. */
  destroy(): void {
    this.flag.destroy();
  }
}
