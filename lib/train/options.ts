/**
 * What a training step is given and what it leaves.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Tensor } from "../gpu.ts";
import type { DinoLossMetrics, DinoLossSettings } from "../loss.ts";
import { checkSettings } from "../loss/options.ts";
import type { AdamWOptions, ClipResult } from "../optim.ts";

/**
 * What changes from step to step.
 *
 * @category Training
 */
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

/**
 * Settings of a `Trainer`.
 *
 * @category Training
 */
export interface TrainerOptions {
  /** The loss. K is the model's, and the teacher's temperature comes with every step. */
  loss: Omit<DinoLossSettings, "outDim" | "teacherTemp"> & { outDim?: never; teacherTemp?: never };
  /** The optimiser. */
  adamw?: Omit<AdamWOptions, "group">;
  /** Largest gradient norm per parameter tensor; 0 only measures. */
  clip: number;
  /** Seed of drop path. */
  seed?: number;
  /** Micro-batches of equal size that a step's batch comes in; 1 by default. */
  accumulationSteps?: number;
  /** Make the student's activations again in the backward pass instead of keeping them: less memory, same bits. */
  recompute?: boolean;
}

/** What a micro-batch leaves to be read. */
export interface MicroStepOutputs {
  /** The teacher's features of the micro-batch's global views, [G·B, D]. */
  teacherFeatures: Tensor;
}

/** What the update at the end of a step leaves to be read: means over its whole batch. */
export interface UpdateOutputs extends Omit<DinoLossMetrics, "center"> {
  /**
   * [1], KoLeo times its weight, where it is on; the loss does not hold it. Of several micro-batches it is the
   * mean, with neighbours looked for within each.
   */
  koleo?: Tensor;
  /** Norms of the gradients before clipping, by chunk. */
  norms: ClipResult[];
}

/**
 * What a step in one batch leaves to be read.
 *
 * @category Training
 */
export interface StepOutputs extends UpdateOutputs, MicroStepOutputs {}

/**
 * Micro-batches of a step, and the temperature of the student for all of them.
 *
 * @throws {HatchlingError} As the trainer says.
 */
export function checkOptions(
  { accumulationSteps = 1, loss }: TrainerOptions,
  outDim: number,
): { accumulationSteps: number; studentTemp: number | undefined } {
  const { studentTemp, centering } = checkSettings({ ...loss, outDim });
  if (loss.teacherTemp !== undefined) {
    throw new HatchlingError(
      `Trainer: expected no loss.teacherTemp but found ${loss.teacherTemp}: give it to set() with every step`,
    );
  }
  if (!(Number.isInteger(accumulationSteps) && accumulationSteps >= 1)) {
    throw new HatchlingError(
      `Trainer: expected accumulationSteps to be whole and at least 1 but found ${accumulationSteps}: give the ` +
        "number of micro-batches of a step",
    );
  }
  if (accumulationSteps > 1 && centering === "sinkhorn_knopp") {
    throw new HatchlingError(
      `Trainer: expected accumulationSteps 1 with centering sinkhorn_knopp but found ${accumulationSteps}: it needs ` +
        "the teacher's logits of the whole batch at once; use centering: center, or a batch that fits the memory",
    );
  }
  return { accumulationSteps, studentTemp };
}
