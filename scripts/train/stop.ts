/**
 * The end of a run whose numbers are no longer finite.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import { LAST_LAYER, type Trainer } from "../../lib/train_step.ts";
import type { RunLog } from "./run_log.ts";

/** What is known of the run. */
export interface Stopped {
  /** Folder of the run. */
  folder: string;
  /** Its trainer, whose state is that from before the bad step. */
  trainer: Trainer;
  /** Steps during which the last layer is not trained. */
  frozenSteps: number;
  /** Its metrics. */
  log: RunLog;
  /** Saves the state of a step. */
  save: (step: number) => Promise<void>;
}

/**
 * The device has kept everything as it was before the bad step: saves that, and says what happened.
 *
 * @param step The bad step, from 0: as many sound ones were done.
 * @param what What held the number.
 * @throws {HatchlingError} Always.
 */
export async function stopAt(
  step: number,
  what: string,
  { folder, trainer, frozenSteps, log, save }: Stopped,
): Promise<never> {
  trainer.adamw.counts[0] = step;
  trainer.adamw.counts[LAST_LAYER] = Math.max(0, step - frozenSteps);
  await save(step);
  await log.write({ step, non_finite: what });
  throw new HatchlingError(
    `Expected finite numbers but found NaN or infinity in ${what} at step ${step}. Weights, teacher and centre ` +
      `are those from before that step, saved in ${folder}: lower optimizer.lr or training.gradient_clip, or ` +
      "lengthen scheduler.warmup_epochs",
  );
}
