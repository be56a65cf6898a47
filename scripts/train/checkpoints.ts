/**
 * Between a trainer on the GPU and files.
 *
 * @module
 */
import { join } from "node:path";
import type { Config } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import {
  checkpointName,
  type CheckpointState,
  pruneCheckpoints,
  saveCheckpoint,
} from "../../lib/io/checkpoint.ts";
import { float32Tensor, serializeSafetensors } from "../../lib/io/safetensors.ts";
import type { Parameters } from "../../lib/model.ts";
import type { Trainer } from "../../lib/train.ts";
import type { KernelRecord } from "../shared/kernels.ts";
import type { CodeVersion } from "./run_record.ts";

/** A parameter of each group of the optimiser; its step count stands for the group's. */
const COUNTED = ["cls_token", "head.last_layer.weight_v"];

/** What a checkpoint holds beside the trainer's state. */
export interface RunExtra {
  /** The kernels in use. */
  kernels: KernelRecord;
  /** The code that ran. */
  code: CodeVersion;
  /** Fingerprint of the data set: file names and sizes. */
  data?: string;
  /** Steps, from 0, whose batches held numbers that were not finite: they were left out. */
  skippedSteps: number[];
  /** The best evaluation so far. */
  best?: { metric: string; percent: number; step: number };
}

/** Where a run stands. */
export interface RunState {
  /** Steps done. */
  step: number;
  /** Epoch of the next step. */
  epoch: number;
  /** Steps of an epoch. */
  stepsPerEpoch: number;
  /** Its configuration. */
  config: Config;
  /** What else it must know to go on. */
  extra: RunExtra;
  /** File to write; by default the checkpoint of that step, and older ones are then deleted. */
  path?: string;
}

/**
 * Optimiser steps of both groups after `step` steps: a step that was left out moved nothing, and a frozen last
 * layer stands still.
 */
export function stepCounts(
  step: number,
  skipped: readonly number[],
  frozenSteps: number,
): [number, number] {
  const done = (from: number) =>
    Math.max(0, step - from) - skipped.filter((s) => s >= from && s < step).length;
  return [done(0), done(frozenSteps)];
}

/** Writes the state after `step` steps; older checkpoints beyond the newest n are deleted. */
export async function saveTrainer(
  folder: string,
  trainer: Trainer,
  { step, epoch, stepsPerEpoch, config, extra, path }: RunState,
): Promise<void> {
  const frozenSteps = config.training.freeze_last_layer * stepsPerEpoch;
  const counts = stepCounts(step, extra.skippedSteps, frozenSteps);
  const moments = await trainer.adamw.save();
  await saveCheckpoint(path ?? join(folder, checkpointName(step)), {
    step,
    epoch,
    shapes: shapesOf(trainer.student),
    student: await trainer.student.save(),
    teacher: await trainer.teacher.save(),
    ...moments,
    stepCounts: Object.fromEntries(COUNTED.map((name, group) => [name, counts[group]])),
    center: await trainer.loss.center.read(),
    config,
    extra: { ...extra },
  });
  const { keep_last_n: last, keep_every_n_epochs: every } = config.checkpoint;
  if (path || !last) return;
  const keeps = (step: number) =>
    every !== null && step > 0 && step % (every * stepsPerEpoch) === 0;
  await pruneCheckpoints(folder, last, keeps, step);
}

/** Puts a checkpoint's state back. */
export function restoreTrainer(trainer: Trainer, state: CheckpointState): void {
  trainer.student.load(state.student);
  trainer.teacher.load(state.teacher);
  trainer.adamw.load(state.expAvg, state.expAvgSq);
  if (state.center.length !== trainer.loss.center.size) {
    throw new HatchlingError(
      `Expected a centre of ${trainer.loss.center.size} but found ${state.center.length}`,
    );
  }
  trainer.loss.center.write(state.center);
  const [done, last] = COUNTED.map((name) => state.stepCounts[name]);
  trainer.setCounts({ done, frozen: done - last });
}

/** Writes weights under the names of timm and facebookresearch/dino. */
export async function saveWeights(path: string, params: Parameters): Promise<void> {
  const shapes = shapesOf(params);
  const values = await params.save();
  const tensors = new Map(
    [...values].map(([name, data]) => [name, float32Tensor(data, shapes.get(name)!)]),
  );
  await writeFileAtomic(path, serializeSafetensors(tensors, { format: "pt" }));
}

function shapesOf(params: Parameters): Map<string, readonly number[]> {
  return new Map(params.layout.slots.map(({ spec }) => [spec.name, spec.shape]));
}
