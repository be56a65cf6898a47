/**
 * The checkpoints of a run's folder.
 *
 * @module
 */
import { join } from "node:path";
import { checkpointName, pruneCheckpoints, saveCheckpoint } from "../../lib/io/checkpoint.ts";
import { type RunPlace, saveState } from "../../lib/train/state.ts";
import type { Prepared } from "./run.ts";

/** Where a run is. */
export function placeOf({ config, extra, step, stepsPerEpoch }: Prepared): RunPlace {
  const { skippedSteps } = extra, freezeLastLayer = config.training.freeze_last_layer;
  return { step, stepsPerEpoch, freezeLastLayer, skippedSteps };
}

/** Writes the state of a run to a file; by default to the checkpoint of its step, and deletes older ones then. */
export async function saveTrainer(run: Prepared, path?: string): Promise<void> {
  const { config, extra, folder, step, stepsPerEpoch, trainer } = run;
  const state = await saveState(trainer, placeOf(run));
  const file = path ?? join(folder.path, checkpointName(step));
  await saveCheckpoint(file, { ...state, config, extra: { ...extra } });
  const { keep_last_n: last, keep_every_n_epochs: every } = config.checkpoint;
  if (path || !last) return;
  const keeps = (step: number) =>
    every !== null && step > 0 && step % (every * stepsPerEpoch) === 0;
  await pruneCheckpoints(folder.path, last, keeps, step);
}
