/**
 * Between a trainer on the GPU and files.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import {
  checkpointName,
  type CheckpointState,
  pruneCheckpoints,
  saveCheckpoint,
} from "../../lib/io/checkpoint.ts";
import type { Trainer } from "../../lib/train.ts";
import type { Prepared } from "./run.ts";

/** A parameter of each group of the optimiser; its step count stands for the group's. */
const COUNTED = ["cls_token", "head.last_layer.weight_v"];

/**
 * Optimiser steps of both groups: a step that was left out moved nothing, and a frozen last layer stands still.
 */
export function stepCounts({ config, extra, step, stepsPerEpoch }: Prepared): [number, number] {
  const done = (from: number) =>
    Math.max(0, step - from) - extra.skippedSteps.filter((s) => s >= from && s < step).length;
  return [done(0), done(config.training.freeze_last_layer * stepsPerEpoch)];
}

/** Writes the state of a run to a file; by default to the checkpoint of its step, and deletes older ones then. */
export async function saveTrainer(run: Prepared, path?: string): Promise<void> {
  const { config, extra, folder, step, stepsPerEpoch, trainer } = run;
  const counts = stepCounts(run);
  const moments = await trainer.optimizer.save();
  await saveCheckpoint(path ?? join(folder.path, checkpointName(step)), {
    step,
    epoch: Math.floor(step / stepsPerEpoch),
    shapes: new Map(trainer.student.all.map(({ name, spec }) => [name, spec.shape])),
    student: await trainer.student.save(),
    teacher: await trainer.teacher?.save() ?? new Map(),
    moments,
    stepCounts: Object.fromEntries(COUNTED.map((name, group) => [name, counts[group]])),
    buffers: new Map(
      await Promise.all(
        [...trainer.buffers].map(async ([name, tensor]) => [name, await tensor.read()] as const),
      ),
    ),
    config,
    extra: { ...extra },
  });
  const { keep_last_n: last, keep_every_n_epochs: every } = config.checkpoint;
  if (path || !last) return;
  const keeps = (step: number) =>
    every !== null && step > 0 && step % (every * stepsPerEpoch) === 0;
  await pruneCheckpoints(folder.path, last, keeps, step);
}

/** Puts a checkpoint's state back. */
export function restoreTrainer(trainer: Trainer, state: CheckpointState): void {
  trainer.student.load(state.student);
  trainer.teacher?.load(state.teacher);
  trainer.optimizer.load(state.moments);
  for (const [name, tensor] of trainer.buffers) {
    const found = state.buffers.get(name);
    if (found?.length !== tensor.size) {
      throw new HatchlingError(
        `Expected ${tensor.size} numbers of ${name} in the checkpoint but found ${
          found?.length ?? "none"
        }: it is of another model or objective`,
      );
    }
    tensor.write(found);
  }
  const [done, last] = COUNTED.map((name) => state.stepCounts[name]);
  trainer.setCounts({ done, frozen: done - last });
}
