/**
 * What is allowed but hardly meant.
 *
 * @module
 */

import { count, many } from "../words.ts";
import type { Config, ViewConfig } from "./types.ts";

/** Something that is worth a second look. */
export interface Warning {
  /** The keys that it looks at; the first is the one that is said to be odd. */
  keys: readonly string[];
  /** For the documentation. */
  text: string;
  /** What is odd and what to look at, or false. */
  check(config: Config): string | false;
}

const odd = (keys: readonly string[], text: string, check: Warning["check"]): Warning => ({
  keys,
  text,
  check,
});

/** A rate above this has trained no transformer. */
const FAST = 0.1;
/** Decoupled weight decay of 1 shrinks the weights by the whole rate at each step. */
const STRONG = 1;
/** A teacher that takes more than half of the student at each step is hardly an average. */
const HASTY = 0.5;

/** Learning rate at the end of the warm-up. */
function peakRate({ data, optimizer, training }: Config): number {
  if (!optimizer.lr_scale_by_batch) return optimizer.lr;
  return optimizer.lr * data.batch_size * training.gradient_accumulation_steps / 256;
}

const RATE_KEYS = [
  "optimizer.lr",
  "data.batch_size",
  "training.gradient_accumulation_steps",
  "optimizer.lr_scale_by_batch",
];

const mean = (view: ViewConfig) => (view.crop_scale_min + view.crop_scale_max) / 2;
const percent = (share: number) => `${Math.round(100 * share)} %`;

/** Every warning, in the order of the documentation. */
export const WARNINGS: readonly Warning[] = [
  odd(
    [
      "augmentation.local.crop_scale_max",
      "augmentation.local_crop_scale_max",
      "augmentation.local_crop_scale_min",
      "augmentation.local.crop_scale_min",
      "augmentation.global_crop_scale_min",
      "augmentation.global_crop_scale_max",
    ],
    "Local crops that are on average larger, as shares of the picture, than global ones.",
    ({ augmentation: { global_1, local, num_local_views: n } }) =>
      n > 0 && mean(local) > mean(global_1) &&
      `local crops hold ${percent(mean(local))} of a picture on average and global ones ` +
        `${percent(mean(global_1))}: they are meant to be the smaller ones`,
  ),
  ...(["normalize_mean", "normalize_std"] as const).map((name) =>
    odd(
      [`augmentation.${name}`],
      `\`augmentation.${name}\` beyond 1: channels are numbers from 0 to 1.`,
      ({ augmentation }) => {
        const found = augmentation[name].find((value) => Math.abs(value) > 1);
        return found !== undefined &&
          `${found} is beyond 1, but channels are numbers from 0 to 1: numbers made for 0 to 255 have to be ` +
            "divided by 255";
      },
    )
  ),
  ...(["teacher_temp", "warmup_teacher_temp"] as const).map((name) =>
    odd(
      [`loss.${name}`, "loss.student_temp"],
      `\`loss.${name}\` above \`loss.student_temp\`: the teacher has to be the sharper one.`,
      ({ loss }) =>
        loss[name] > loss.student_temp &&
        `${
            loss[name]
          } is above loss.student_temp (${loss.student_temp}): DINO's teacher has to be the sharper ` +
          "one, usually 0.02 to 0.07",
    )
  ),
  odd(
    RATE_KEYS,
    `A learning rate above ${FAST} at its peak, scaling by the batch included.`,
    (config) => {
      const rate = peakRate(config);
      const scaled = config.optimizer.lr_scale_by_batch ? " after scaling by the batch" : "";
      return rate > FAST &&
        `a peak of ${
            Number(rate.toPrecision(3))
          }${scaled} is above ${FAST}: vision transformers learn with ` +
          "0.0001 to 0.01";
    },
  ),
  ...(["weight_decay", "weight_decay_end"] as const).map((name) =>
    odd(
      [`optimizer.${name}`],
      `\`optimizer.${name}\` above ${STRONG}.`,
      ({ optimizer }) =>
        optimizer[name] > STRONG &&
        `${
            optimizer[name]
          } is above ${STRONG}, which shrinks the weights faster than they learn: DINO's is ` +
          "0.04 to 0.4",
    )
  ),
  odd(
    ["optimizer.betas"],
    "`optimizer.betas` with the first above the second.",
    ({ optimizer: { betas: [first, second] } }) =>
      first > second && `the first, ${first}, is above the second, ${second}: are they swapped?`,
  ),
  ...(["min_lr", "warmup_start_lr"] as const).map((name) =>
    odd(
      [`scheduler.${name}`, ...RATE_KEYS],
      `\`scheduler.${name}\` above the peak of the learning rate.`,
      (config) => {
        const [found, peak] = [config.scheduler[name], peakRate(config)];
        return found > peak &&
          `${found} is above the peak of the learning rate (${peak}): the rate runs the wrong way`;
      },
    )
  ),
  odd(
    ["scheduler.warmup_epochs", "training.num_epochs"],
    "A warm-up of the learning rate that takes all epochs.",
    ({ scheduler, training: { num_epochs: epochs } }) =>
      scheduler.warmup_epochs >= epochs &&
      `the warm-up takes the whole run of ${many(epochs, "epoch")}: the rate never falls`,
  ),
  odd(
    ["training.teacher_momentum"],
    `\`training.teacher_momentum\` below ${HASTY}.`,
    ({ training: { teacher_momentum: m } }) =>
      m < HASTY &&
      `${m} is below ${HASTY}: the teacher is hardly an average of its students, DINO's is 0.99 or more`,
  ),
  odd(
    ["training.teacher_momentum_final", "training.teacher_momentum"],
    "`training.teacher_momentum_final` below `training.teacher_momentum`.",
    ({ training: { teacher_momentum: start, teacher_momentum_final: end, ...training } }) =>
      training.teacher_momentum_schedule && end < start &&
      `${end} is below training.teacher_momentum (${start}): the teacher would follow ever faster`,
  ),
  odd(
    ["training.freeze_last_layer", "training.num_epochs"],
    "`training.freeze_last_layer` for all epochs.",
    ({ training: { freeze_last_layer: frozen, num_epochs: epochs } }) =>
      frozen >= epochs &&
      `the head's last layer is never trained in the run of ${many(epochs, "epoch")}`,
  ),
];

/**
 * What is odd about a run when its steps are known.
 *
 * @param stepsPerEpoch Steps of an epoch.
 * @returns A line for each, without a place.
 */
export function runWarnings(
  { scheduler, training }: Config,
  stepsPerEpoch: number,
): string[] {
  const { max_steps: most, num_epochs: epochs } = training;
  const warmup = Math.round(scheduler.warmup_epochs * stepsPerEpoch);
  const total = epochs * stepsPerEpoch;
  if (most !== null && total < most) {
    return [
      `training.max_steps: the run ends after ${many(total, "step")} and not ${
        count(most)
      }, as training.num_epochs is ${epochs} and an ` +
      `epoch of these pictures has ${stepsPerEpoch}: raise training.num_epochs, or lower data.batch_size`,
    ];
  }
  if (most === null || warmup <= most) return [];
  return [
    `scheduler.warmup_epochs: the warm-up takes ${
      many(warmup, "step")
    } and training.max_steps ends the run after ${count(most)}: ` +
    "the learning rate does not reach its peak",
  ];
}
