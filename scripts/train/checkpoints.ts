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
import type { Parameters } from "../../lib/model/mod.ts";
import { LAST_LAYER, type Trainer } from "../../lib/train_step.ts";
import type { KernelRecord } from "./kernels.ts";

/** A parameter of each group of the optimiser; its step count stands for the group's. */
const COUNTED = ["cls_token", "head.last_layer.weight_v"];

/** Writes the state after `step` steps; older checkpoints beyond the newest n are deleted. */
export async function saveTrainer(
  folder: string,
  trainer: Trainer,
  { step, epoch, config, kernels }: {
    step: number;
    epoch: number;
    config: Config;
    kernels: KernelRecord;
  },
): Promise<void> {
  const moments = await trainer.adamw.save();
  await saveCheckpoint(join(folder, checkpointName(step)), {
    step,
    epoch,
    shapes: shapesOf(trainer.student),
    student: await trainer.student.save(),
    teacher: await trainer.teacher.save(),
    ...moments,
    stepCounts: Object.fromEntries(
      COUNTED.map((name, group) => [name, trainer.adamw.counts[group]]),
    ),
    center: await trainer.loss.center.read(),
    config,
    extra: { kernels },
  });
  if (config.checkpoint.keep_last_n) await pruneCheckpoints(folder, config.checkpoint.keep_last_n);
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
  trainer.adamw.counts[0] = state.stepCounts[COUNTED[0]];
  trainer.adamw.counts[LAST_LAYER] = state.stepCounts[COUNTED[LAST_LAYER]];
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
