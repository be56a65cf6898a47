/**
 * A short training run, whose losses are known.
 *
 * @module
 */
import { parseConfig } from "../../lib/config.ts";
import { feedOptionsOf, modelOf, scheduleOf, trainerOptionsOf } from "../../lib/from_config.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { initialize } from "../../lib/model.ts";
import { noise } from "../../lib/plan/noise.ts";
import { recordStep, Trainer } from "../../lib/train.ts";
import { Feed } from "../../lib/train/feed.ts";
import type { Progress } from "../common/progress.ts";
import { print } from "../common/terminal.ts";
import stored from "./losses.json" with { type: "json" };
import { row } from "./table.ts";

/** A small model, 20 steps of 8 pictures of noise. */
const CONFIG = `
data: {batch_size: 8}
augmentation: {num_local_views: 2, global_crop_size: 32, local_crop_size: 16}
model:
  {backbone: custom, patch_size: 8, dim: 32, depth: 2, heads: 2,
   projection_hidden_dim: 64, projection_bottleneck_dim: 32, projection_output_dim: 128}
loss: {contrastive_weight: 1, contrastive_feature: quad}
optimizer: {lr: 0.001, lr_scale_by_batch: false}
scheduler: {warmup_epochs: 0}
training: {num_epochs: 1, freeze_last_layer: 0}
`;
const STEPS = 20;

/** What came of the run. */
export interface TrainingFindings {
  /** The loss of every step. */
  losses: number[];
  /** Largest difference from the stored ones, in units of its limit. */
  error: number;
  /** What is wrong, in words; empty where nothing is. */
  fault: string;
  seconds: number;
}

/** The losses of the run on a GPU. */
export async function trainShortly(gpu: Gpu): Promise<number[]> {
  const config = parseConfig(CONFIG);
  const model = modelOf(config);
  const trainer = new Trainer(gpu, model, trainerOptionsOf(config));
  trainer.load(initialize(model.specs(), 0));
  const feed = new Feed(gpu, noise(config, { largestPixels: 40 * 40 }), feedOptionsOf(config));
  const step = await recordStep(gpu, trainer, feed);
  const values = scheduleOf(config, STEPS);
  const losses: number[] = [];
  try {
    for (let i = 0; i < STEPS; i++) {
      await step.run(values(i));
      losses.push((await step.outputs.loss.read())[0]);
    }
  } finally {
    for (const part of [step, feed, trainer]) part.destroy();
  }
  return losses;
}

/** Runs it and compares. */
export async function proveTraining(gpu: Gpu, progress: Progress): Promise<TrainingFindings> {
  const start = performance.now();
  progress.show("a short training run", true);
  const losses = await trainShortly(gpu);
  progress.end();
  const errors = losses.map((loss, i) => Math.abs(loss - stored.losses[i]) / stored.limits[i]);
  const at = errors.findIndex((error) => !(error <= 1));
  const error = errors.reduce((most, x) => Math.max(most, x), 0);
  const fault = at < 0
    ? ""
    : `step ${at}: expected a loss of ${stored.losses[at]} ± ${stored.limits[at]} but found ${
      losses[at]
    }`;
  const seconds = (performance.now() - start) / 1000;
  const verdict = fault ? "WRONG" : "right";
  row(
    "training",
    `${verdict}, largest difference ${error.toPrecision(2)} of its limit in ${STEPS} steps, ${
      seconds.toFixed(1)
    } s`,
  );
  if (fault) print(`  ${fault}`);
  return { losses, error, fault, seconds };
}
