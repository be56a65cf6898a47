/**
 * What a training step is given and what it leaves.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Tensor } from "../gpu/mod.ts";
import type { DinoLossMetrics, DinoLossSettings } from "../loss.ts";
import type { AdamWOptions, ClipResult } from "../optim/mod.ts";

/** What changes from step to step. */
export interface StepValues {
  /** The step's number, from 0. */
  step: number;
  /** Teacher temperature. */
  teacherTemp: number;
  /** Momentum of the teacher's moving average. */
  momentum: number;
  /** Learning rate. */
  lr: number;
  /** Weight decay. */
  weightDecay: number;
  /** Leave the last layer alone. */
  freezeLastLayer: boolean;
}

/** Settings of a `Trainer`. */
export interface TrainerOptions {
  /** The loss. */
  loss: Omit<DinoLossSettings, "outDim">;
  /** The optimiser. */
  adamw?: Omit<AdamWOptions, "group">;
  /** Largest gradient norm per parameter tensor; 0 only measures. */
  clip: number;
  /** Seed of drop path. */
  seed?: number;
  /** Micro-batches that a step's batch comes in; 1 by default. */
  accumulation?: number;
  /** Make the student's activations again in the backward pass instead of keeping them: less memory, same bits. */
  recompute?: boolean;
}

/** What a micro-batch leaves to be read. */
export interface MicroOutputs {
  /** The teacher's features of the micro-batch's global views, [G·B, D]. */
  teacherFeatures: Tensor;
}

/** What the end of a step leaves to be read: means over its whole batch. */
export interface ApplyOutputs extends Omit<DinoLossMetrics, "center"> {
  /**
   * [1], KoLeo times its weight, where it is on; the loss does not hold it. Of several micro-batches it is the
   * mean, with neighbours looked for within each.
   */
  koleo?: Tensor;
  /** Norms of the gradients before clipping, by chunk. */
  norms: ClipResult[];
}

/** What a step in one batch leaves to be read. */
export interface StepOutputs extends ApplyOutputs, MicroOutputs {}

/**
 * Micro-batches of a step.
 *
 * @throws {HatchlingError} As the trainer says.
 */
export function checkAccumulation({ accumulation = 1, loss }: TrainerOptions): number {
  if (!(Number.isInteger(accumulation) && accumulation >= 1)) {
    throw new HatchlingError(
      `Trainer: expected accumulation to be whole and at least 1 but found ${accumulation}: give the number of ` +
        "micro-batches of a step",
    );
  }
  if (accumulation > 1 && loss.centering === "sinkhorn_knopp") {
    throw new HatchlingError(
      `Trainer: expected accumulation 1 with centering sinkhorn_knopp but found ${accumulation}: it needs the ` +
        "teacher's logits of the whole batch at once; use centering: center, or a batch that fits the memory",
    );
  }
  return accumulation;
}
