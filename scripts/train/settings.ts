/**
 * From a configuration to the settings of the modules that a run is made of.
 *
 * @module
 */
import type { AugmentationOptions, ViewOptions } from "../../lib/augmentation.ts";
import type { Config } from "../../lib/config.ts";
import { settingsFromConfig } from "../../lib/loss/options.ts";
import { DinoModel } from "../../lib/model/mod.ts";
import { cosineSchedule, scaledLr, teacherTempSchedule } from "../../lib/optim/mod.ts";
import type { StepValues, TrainerOptions } from "../../lib/train_step.ts";

/** The model of a configuration. */
export function modelOf({ model, augmentation }: Config): DinoModel {
  return new DinoModel({
    imageSize: augmentation.global_crop_size,
    patchSize: model.patch_size,
    dim: model.dim,
    depth: model.depth,
    heads: model.heads,
    mlpRatio: model.mlp_ratio,
    inChans: model.in_chans,
    posInterp: model.pos_interp,
    dropPathRate: model.drop_path_rate,
    initStd: model.init_std,
  }, {
    outDim: model.projection_output_dim,
    hiddenDim: model.projection_hidden_dim,
    bottleneckDim: model.projection_bottleneck_dim,
    layers: model.projection_layers,
    normLastLayer: model.norm_last_layer,
    initStd: model.init_std,
  });
}

/** Options of the augmentation. */
export function augmentationOf({ augmentation: a }: Config): AugmentationOptions {
  const shared: ViewOptions = {
    cropScale: [a.global_crop_scale_min, a.global_crop_scale_max],
    aspectRatio: [a.aspect_ratio_min, a.aspect_ratio_max],
    horizontalFlipProb: a.horizontal_flip_prob,
    colorJitterProb: a.color_jitter_prob,
    brightness: a.brightness,
    contrast: a.contrast,
    saturation: a.saturation,
    hue: a.hue,
    grayscaleProb: a.grayscale_prob,
    gaussianBlurProb: 0,
    gaussianBlurSigma: [a.gaussian_blur_sigma_min, a.gaussian_blur_sigma_max],
    solarizationProb: a.solarization_prob_global_1,
    solarizationThreshold: a.solarization_threshold,
  };
  return {
    nGlobalCrops: a.n_global_crops,
    numLocalViews: a.num_local_views,
    globalCropSize: a.global_crop_size,
    localCropSize: a.local_crop_size,
    channels: 3,
    views: {
      global1: { ...shared, gaussianBlurProb: a.gaussian_blur_prob_global_1 },
      global2: {
        ...shared,
        gaussianBlurProb: a.gaussian_blur_prob_global_2,
        solarizationProb: a.solarization_prob,
      },
      local: {
        ...shared,
        cropScale: [a.local_crop_scale_min, a.local_crop_scale_max],
        gaussianBlurProb: a.gaussian_blur_prob_local,
        solarizationProb: a.solarization_prob_local,
      },
    },
    normalizeMean: [...a.normalize_mean],
    normalizeStd: [...a.normalize_std],
  };
}

/** Options of the training step. */
export function trainerOptionsOf(
  { augmentation, loss, optimizer, training }: Config,
): TrainerOptions {
  return {
    loss: settingsFromConfig(loss, augmentation),
    adamw: { betas: optimizer.betas, eps: optimizer.eps },
    clip: training.gradient_clip,
    seed: training.seed,
  };
}

/** The values of every step of a run, as a function of the step alone. */
export function scheduleOf(
  { data, loss, optimizer, scheduler, training }: Config,
  stepsPerEpoch: number,
): (step: number) => StepValues {
  const span = { epochs: training.num_epochs, itersPerEpoch: stepsPerEpoch };
  const lr = cosineSchedule({
    ...span,
    base: optimizer.lr_scale_by_batch ? scaledLr(optimizer.lr, data.batch_size) : optimizer.lr,
    final: scheduler.min_lr,
    warmupEpochs: scheduler.warmup_epochs,
    warmupStart: scheduler.warmup_start_lr,
  });
  const weightDecay = cosineSchedule({
    ...span,
    base: optimizer.weight_decay,
    final: optimizer.weight_decay_end,
  });
  const momentum = cosineSchedule({
    ...span,
    base: training.teacher_momentum,
    final: training.teacher_momentum_schedule
      ? training.teacher_momentum_final
      : training.teacher_momentum,
  });
  const teacherTemp = teacherTempSchedule({
    start: loss.warmup_teacher_temp,
    final: loss.teacher_temp,
    warmupEpochs: loss.warmup_teacher_temp_epochs,
    epochs: training.num_epochs,
  });
  return (step) => {
    const epoch = Math.floor(step / stepsPerEpoch);
    return {
      step,
      lr: lr(step),
      weightDecay: weightDecay(step),
      momentum: momentum(step),
      teacherTemp: teacherTemp(epoch),
      freezeLastLayer: epoch < training.freeze_last_layer,
    };
  };
}
