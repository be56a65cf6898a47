/**
 * When and how a run saves its state, and what it does when that fails.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { BEST } from "./best.ts";
import { askCanaries, FaultError } from "./canaries.ts";
import { saveTrainer } from "./checkpoints.ts";
import { compareWeights } from "./ranks/compare.ts";
import type { Run } from "./run.ts";

/** Whether the configuration asks for a checkpoint after so many steps. */
export function isSaveDue({ config, stepsPerEpoch }: Run, step: number): boolean {
  const { save_every_n_iters: iters, save_every_n_epochs: epochs } = config.checkpoint;
  const every = (n: number | null) => n !== null && step % n === 0;
  return every(iters) || every(epochs && epochs * stepsPerEpoch);
}

/**
 * Saves the state unless it is saved already, once the canaries are right and all ranks have the same weights.
 *
 * @throws {HatchlingError} When it cannot, or they are not.
 * @throws {RankError} When ranks differ.
 */
export async function saveNow(run: Run): Promise<void> {
  const { step } = run;
  if (run.saved === step) return;
  await askCanaries(run);
  await compareWeights(run);
  await saveTrainer(run);
  run.saved = step;
  await run.folder.saved(step);
}

/** Saves the state; a full disk is told, what was saved before is kept, and training goes on. */
export async function saveOrWarn(run: Run): Promise<void> {
  try {
    await saveNow(run);
  } catch (error) {
    if (!(error instanceof HatchlingError) || error instanceof FaultError) throw error;
    const before = run.saved < 0 ? "none is there yet" : `the last one is of step ${run.saved}`;
    run.progress.say(
      `warning: no checkpoint of step ${run.step}: ${error.message} (${before}); training goes on`,
    );
  }
}

/** Saves the state as the best so far, in best.safetensors; says so where it cannot. */
export async function saveBest(run: Run): Promise<void> {
  await askCanaries(run);
  await compareWeights(run);
  try {
    await saveTrainer(run, join(run.folder.path, BEST));
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
    run.progress.say(`warning: ${error.message}; training goes on`);
  }
}
