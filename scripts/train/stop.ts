/**
 * The end of a run whose numbers are no longer finite.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import type { Gpu, Tensor } from "../../lib/gpu/mod.ts";
import type { DinoModel } from "../../lib/model/mod.ts";
import { firstNonFinite } from "../../lib/non_finite.ts";
import { LAST_LAYER, type Trainer } from "../../lib/train_step.ts";
import type { RunLog } from "./run_log.ts";

/** What is known of the run. */
export interface Stopped {
  /** Folder of the run. */
  folder: string;
  /** Its model. */
  model: DinoModel;
  /** Its trainer, whose state is that from before the bad step. */
  trainer: Trainer;
  /** Steps during which the last layer is not trained. */
  frozenSteps: number;
  /** Learning rate of the bad step. */
  lr: number;
  /** Its metrics. */
  log: RunLog;
  /** Saves the state of a step. */
  save: (step: number) => Promise<void>;
  /** Makes the crops of a step again. */
  cropsOf: (step: number) => Promise<Tensor[]>;
  /** Seed of drop path. */
  seed: number;
}

/**
 * The device has kept everything as it was before the bad step: saves that, looks for the tensor that held
 * the first such number, and says what happened.
 *
 * @param step The bad step, from 0: as many sound ones were done.
 * @param what What held the number when the step was checked, at its end.
 * @throws {HatchlingError} Always.
 */
export async function stopAt(
  gpu: Gpu,
  step: number,
  what: string,
  stopped: Stopped,
): Promise<never> {
  const { folder, trainer, frozenSteps, lr, log, save } = stopped;
  trainer.adamw.counts[0] = step;
  trainer.adamw.counts[LAST_LAYER] = Math.max(0, step - frozenSteps);
  await save(step);
  const first = await firstOf(gpu, step, stopped);
  await log.write({ step, lr, non_finite: what, ...first && { first_non_finite: first } });
  throw new HatchlingError(
    `Expected finite numbers but found NaN or infinity in ${what} at step ${step}. ` +
      (first ? `The first was in ${first}. ` : "") +
      `Weights, teacher and centre are those from before that step, saved in ${folder}: lower optimizer.lr or ` +
      "training.gradient_clip, or lengthen scheduler.warmup_epochs",
  );
}

/** The first tensor of a step's forward pass with such a number, in words, when there is one. */
async function firstOf(
  gpu: Gpu,
  step: number,
  { model, trainer, cropsOf, seed }: Stopped,
): Promise<string | undefined> {
  const { student, teacher } = trainer;
  try {
    const crops = await cropsOf(step);
    const dropPath = { seed, step };
    const found = await firstNonFinite(gpu, { model, student, teacher, crops, dropPath });
    for (const tensor of crops) tensor.destroy();
    return found?.text;
  } catch (error) {
    // The state is saved already; memory for another forward pass may be missing.
    if (!(error instanceof HatchlingError)) throw error;
    console.error(`note: what held the first such number was not found: ${error.message}`);
  }
}
