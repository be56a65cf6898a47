/**
 * Between a trainer on the GPU and the checkpoint of its run.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { CheckpointState } from "../io/checkpoint_format.ts";
import type { Trainer } from "./trainer.ts";

/** A parameter of each group of the optimiser; its step count stands for the group's. */
const COUNTED = ["cls_token", "head.last_layer.weight_v"];

/** Where a run is. */
export interface RunPlace {
  /** Steps done. */
  step: number;
  /** Steps of an epoch. */
  stepsPerEpoch: number;
  /** First epochs in which the last layer is left alone. */
  freezeLastLayer: number;
  /** Steps, from 0, that were left out. */
  skippedSteps: readonly number[];
}

/**
 * Optimiser steps of both groups: a step that was left out moved nothing, and a frozen last layer stands still.
 */
export function stepCounts(
  { step, stepsPerEpoch, freezeLastLayer, skippedSteps }: RunPlace,
): [all: number, last: number] {
  const done = (from: number) =>
    Math.max(0, step - from) - skippedSteps.filter((s) => s >= from && s < step).length;
  return [done(0), done(freezeLastLayer * stepsPerEpoch)];
}

/**
 * The state of a trainer as a checkpoint holds it; the caller adds configuration and what else the run keeps.
 *
 * @example
 * ```ts ignore
 * import { encodeCheckpoint } from "../io/checkpoint_format.ts";
 * import { saveState } from "./state.ts";
 *
 * const state = await saveState(trainer, { step, stepsPerEpoch, freezeLastLayer: 1, skippedSteps: [] });
 * const bytes = encodeCheckpoint({ ...state, config, extra: {} });
 * ```
 */
export async function saveState(
  trainer: Trainer,
  place: RunPlace,
): Promise<Omit<CheckpointState, "config" | "extra">> {
  const { step, stepsPerEpoch } = place, counts = stepCounts(place);
  const moments = await trainer.optimizer.save();
  return {
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
  };
}

/**
 * Puts a checkpoint's state back.
 *
 * @throws {HatchlingError} When it is of another model or objective.
 */
export function restoreState(trainer: Trainer, state: CheckpointState): void {
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
