/**
 * From a configuration to what a run is made of: model, data set, loader, augmentation, trainer, schedule. A script
 * that uses it says every size once, in the configuration.
 *
 * @example
 * ```ts
 * import { parseConfig } from "@hatchling/hatchling/config";
 * import { augmentationOf, modelOf, scheduleOf } from "@hatchling/hatchling/from_config";
 *
 * const config = parseConfig("data: {batch_size: 32}\naugmentation: {global_crop_size: 64, local_crop_size: 32}");
 * const model = modelOf(config);
 * const schedule = scheduleOf(config, 100); // 100 steps an epoch
 * console.log(model.backbone.imageSize, augmentationOf(config).globalCropSize, schedule(0).lr);
 * ```
 *
 * @module
 */
import type { DeviceChoice } from "./adapter.ts";
import type { AugmentationOptions, ViewOptions } from "./augmentation.ts";
import type { Config, ViewConfig } from "./config.ts";
import type { OptimizerConfig } from "./config/types.ts";
import type { DiagnosisSettings } from "./diagnosis.ts";
import type { Dataset } from "./data/dataset.ts";
import { Loader } from "./data/loader.ts";
import type { OpenOptions } from "./data/open.ts";
import { readoutName } from "./eval/readout.ts";
import type { Gpu } from "./gpu.ts";
import { settingsFromConfig } from "./loss/options.ts";
import { layerDecay, type OptimizerSettings } from "./optim.ts";
import type { FeedOptions } from "./train/feed.ts";
import { hasContrastive } from "./from_config/model.ts";
import { precisionOf } from "./from_config/precision.ts";
import { readoutOf } from "./from_config/readout.ts";
import { warmupOf } from "./from_config/schedule.ts";
import type { Comm } from "./comm.ts";
import { Ranks } from "./train/ranks.ts";
import type { TrainerOptions } from "./train.ts";

export { precisionOf } from "./from_config/precision.ts";
export { hasTeacher, modelOf, networkOf } from "./from_config/model.ts";
export { readoutOf } from "./from_config/readout.ts";
export { scheduleOf, warmupOf } from "./from_config/schedule.ts";

/**
 * Which GPU to open, and how: for `openDevice` of `@hatchling/hatchling/adapter`.
 *
 * @category Training
 */
export function gpuOptionsOf({ device }: Pick<Config, "device">): DeviceChoice {
  const { adapter, limits, max_submit_ms: maxSubmitMs } = device;
  return { adapter, limits, maxSubmitMs };
}

/**
 * Options of the augmentation.
 *
 * @category Training
 */
export function augmentationOf({ augmentation: a, model }: Config): AugmentationOptions {
  return {
    nGlobalCrops: a.n_global_crops,
    numLocalViews: a.num_local_views,
    globalCropSize: a.global_crop_size,
    localCropSize: a.local_crop_size,
    channels: model.in_chans,
    normalizeMean: [...a.normalize_mean],
    normalizeStd: [...a.normalize_std],
    views: { global1: viewOf(a.global_1), global2: viewOf(a.global_2), local: viewOf(a.local) },
  };
}

function viewOf(view: ViewConfig): ViewOptions {
  return {
    cropScale: [view.crop_scale_min, view.crop_scale_max],
    aspectRatio: [view.aspect_ratio_min, view.aspect_ratio_max],
    horizontalFlipProb: view.horizontal_flip_prob,
    colorJitterProb: view.color_jitter_prob,
    brightness: view.brightness,
    contrast: view.contrast,
    saturation: view.saturation,
    hue: view.hue,
    grayscaleProb: view.grayscale_prob,
    gaussianBlurProb: view.gaussian_blur_prob,
    gaussianBlurSigma: [view.gaussian_blur_sigma_min, view.gaussian_blur_sigma_max],
    solarizationProb: view.solarization_prob,
    solarizationThreshold: view.solarization_threshold,
  };
}

/**
 * Options of the data set. No more workers than processors: they would only wait for one another.
 *
 * @category Training
 */
export function datasetOptionsOf({ data, model, training }: Config): OpenOptions {
  return {
    dataset: data.dataset,
    path: data.path ?? undefined,
    channels: model.in_chans,
    split: data.split,
    valFraction: data.val_fraction,
    maxPixels: data.max_pixels,
    cacheBytes: data.cache_bytes,
    numWorkers: Math.min(data.num_workers, navigator.hardwareConcurrency),
    seed: training.seed,
  };
}

/**
 * Options of the training step.
 *
 * @param gpu Where it will run: `device.precision` depends on it, and is f32 without it.
 * @throws {HatchlingError} When f16 is asked for and that GPU has no halves.
 *
 * @category Training
 */
export function trainerOptionsOf(config: Config, gpu?: Gpu): TrainerOptions {
  const { augmentation, loss, model, optimizer, training } = config;
  return {
    precision: gpu ? precisionOf(config, gpu) : "f32",
    loss: settingsFromConfig(loss, augmentation),
    contrastive: hasContrastive(loss)
      ? {
        weight: loss.objective === "infonce" ? 1 : loss.contrastive_weight,
        temperature: loss.contrastive_temp,
        teacherKeys: loss.contrastive_teacher,
      }
      : undefined,
    ibot: loss.ibot_weight > 0
      ? {
        weight: loss.ibot_weight,
        centering: loss.centering,
        centerMomentum: loss.center_momentum,
        chunkSize: loss.chunk_size ?? undefined,
      }
      : undefined,
    gram: loss.gram_weight > 0 ? { weight: loss.gram_weight } : undefined,
    optimizer: optimizerSettingsOf(optimizer, model.depth),
    clip: training.gradient_clip,
    clipMode: training.gradient_clip_mode,
    accumulationSteps: training.gradient_accumulation_steps,
    recompute: training.recompute,
    seed: training.seed,
  };
}

function optimizerSettingsOf(optimizer: OptimizerConfig, depth: number): OptimizerSettings {
  const { optimizer: kind, betas, eps, momentum, nesterov } = optimizer;
  const rateScale = layerDecay(optimizer.layer_decay, depth);
  return kind === "sgd" ? { kind, momentum, nesterov, rateScale } : { kind, betas, eps, rateScale };
}

/**
 * What a diagnosis knows of a configuration.
 *
 * @param known Steps that the run will have, and pictures of its data set.
 */
export function diagnosisSettingsOf(
  config: Config,
  { totalSteps, pictures }: { totalSteps?: number; pictures?: number } = {},
): DiagnosisSettings {
  const { data, evaluation, model, loss, optimizer, scheduler, training } = config;
  const judged = Math.min(pictures ?? Infinity, evaluation.max_images ?? Infinity);
  return {
    objective: loss.objective,
    outDim: model.projection_output_dim,
    batchSize: data.batch_size * training.gradient_accumulation_steps,
    studentTemp: loss.student_temp,
    teacherTemp: loss.teacher_temp,
    centering: loss.centering,
    centerMomentum: loss.center_momentum,
    koleoWeight: loss.koleo_weight,
    ibotSeparateHead: loss.ibot_weight > 0 ? loss.ibot_separate_head : undefined,
    contrastiveWeight: loss.contrastive_weight,
    contrastiveTemp: loss.contrastive_temp,
    contrastiveKeys: data.batch_size,
    initStd: model.init_std,
    weightDecay: Math.max(optimizer.weight_decay, optimizer.weight_decay_end),
    warmupEpochs: warmupOf(scheduler),
    freezeLastLayer: training.freeze_last_layer,
    totalSteps: totalSteps ?? training.max_steps ?? undefined,
    feature: readoutName(readoutOf(config)),
    whiten: evaluation.whiten,
    pictures: judged === Infinity ? undefined : judged,
  };
}

/**
 * Options of the feed that makes a run's views.
 *
 * @category Training
 */
export function feedOptionsOf(config: Config): FeedOptions {
  const { gradient_accumulation_steps: accumulationSteps, seed } = config.training;
  return { augmentation: augmentationOf(config), accumulationSteps, masks: masksOf(config), seed };
}

/** Masks of patches, where some are learned. */
function masksOf({ augmentation, loss, model }: Config): FeedOptions["masks"] {
  if (loss.ibot_weight === 0) return undefined;
  const side = augmentation.global_crop_size / model.patch_size;
  return {
    grid: [side, side],
    nGlobalCrops: augmentation.n_global_crops,
    prefix: +model.class_token + model.registers,
    maskProb: loss.mask_prob,
    maskRatioMin: loss.mask_ratio_min,
    maskRatioMax: loss.mask_ratio_max,
  };
}

/**
 * The ranks of a data-parallel run, for `TrainerOptions.ranks`.
 *
 * @category Training
 */
export function ranksOf({ device }: Pick<Config, "device">, comm: Comm): Ranks {
  return new Ranks(comm, { communication: device.communication });
}

/**
 * The batches of a data set.
 *
 * @param ranks Those that share every batch, where there are several.
 *
 * @category Training
 */
export function loaderOf(
  dataset: Dataset,
  { data, training }: Config,
  ranks?: Pick<Ranks, "rank" | "size">,
): Loader {
  return new Loader(dataset, {
    ranks,
    batchSize: data.batch_size,
    accumulationSteps: training.gradient_accumulation_steps,
    seed: training.seed,
  });
}
