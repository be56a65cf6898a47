/**
 * Training: one step of DINO, recorded once and replayed, and what brings its pictures.
 *
 * {@linkcode Trainer} holds student, teacher, centre and optimiser; {@linkcode Feed} makes the views of each batch.
 * `@hatchling/hatchling/from_config` makes the settings of both from a configuration.
 *
 * @example A loop of your own
 * ```ts
 * import { functionDataset, Loader } from "@hatchling/hatchling/data";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { DinoModel, initialize } from "@hatchling/hatchling/model";
 * import { Feed, recordStep, Trainer } from "@hatchling/hatchling/train";
 *
 * const gpu = await openGpu();
 * const dataset = functionDataset({
 *   name: "noise",
 *   length: 8,
 *   maxPixels: 256,
 *   picture: (i) => {
 *     const data = Uint8Array.from({ length: 768 }, (_, j) => (i + 1) * j * j);
 *     return { width: 16, height: 16, channels: 3, data };
 *   },
 * });
 * const loader = new Loader(dataset, { batchSize: 4, seed: 0 });
 * const augmentation = { globalCropSize: 16, localCropSize: 8, numLocalViews: 2 };
 * const feed = new Feed(gpu, loader, { augmentation, seed: 0 });
 * const model = new DinoModel({ imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2 }, { outDim: 32 });
 * const trainer = new Trainer(gpu, model, { loss: { nCrops: 4 }, clip: 3 });
 * trainer.load(initialize(model.specs(), 0));
 * const recorded = await recordStep(gpu, trainer, feed);
 * const rates = { teacherTemp: 0.04, momentum: 0.99, lr: 1e-3, weightDecay: 0.04, freezeLastLayer: false };
 * for (let step = 0; step < 2; step++) {
 *   const { metrics } = await recorded.run({ step, ...rates });
 *   console.log(step, (await metrics.read())[0]);
 * }
 * for (const part of [recorded, trainer, feed]) part.destroy();
 * loader.close();
 * gpu.destroy();
 * ```
 *
 * @module
 */
export type { CanaryCounts, CanaryFault, StepCanaries, StepPart } from "./train/canary.ts";
export { firstNonFinite, type NonFinite, type StepAddress, type StepInputs } from "./non_finite.ts";
export { type BatchSource, Feed, type FeedOptions, type LoaderTimes } from "./train/feed.ts";
export { LAST_LAYER } from "./train/groups.ts";
export type {
  GramTermOptions,
  MicroStepOutputs,
  StepOutputs,
  StepValues,
  TrainerOptions,
  UpdateOutputs,
} from "./train/options.ts";
export { type Communication, Ranks, type RanksOptions, type RankTimes } from "./train/ranks.ts";
export { RecordedStep, recordStep, type StepRun } from "./train/recorded_step.ts";
export type { ContrastiveOptions, ContrastiveOutputs } from "./train/terms/contrastive_term.ts";
export type { Masks } from "./train/terms/term.ts";
export { Trainer } from "./train/trainer.ts";
