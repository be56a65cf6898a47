/**
 * What is allowed but hardly meant.
 *
 * @module
 */

import type { Config } from "./types.ts";

/** Something that is worth a second look. */
export interface Warning {
  /** The keys that it looks at; the first is the one that is said to be odd. */
  keys: readonly string[];
  /** For the documentation. */
  text: string;
  /** What is odd and what to look at, or undefined. */
  check(config: Config): string | undefined;
}

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

function softTeacher(name: "teacher_temp" | "warmup_teacher_temp"): Warning {
  return {
    keys: [`loss.${name}`, "loss.student_temp"],
    text: `\`loss.${name}\` above \`loss.student_temp\`: the teacher has to be the sharper one.`,
    check({ loss }) {
      if (loss[name] <= loss.student_temp) return;
      return `${
        loss[name]
      } is above loss.student_temp (${loss.student_temp}): DINO's teacher has to be the ` +
        "sharper one, usually 0.02 to 0.07";
    },
  };
}

function unscaled(name: "normalize_mean" | "normalize_std"): Warning {
  return {
    keys: [`augmentation.${name}`],
    text: `\`augmentation.${name}\` beyond 1: channels are numbers from 0 to 1.`,
    check({ augmentation }) {
      const odd = augmentation[name].find((value) => Math.abs(value) > 1);
      if (odd === undefined) return;
      return `${odd} is beyond 1, but channels are numbers from 0 to 1: numbers made for 0 to 255 have to be ` +
        "divided by 255";
    },
  };
}

function strongDecay(name: "weight_decay" | "weight_decay_end"): Warning {
  return {
    keys: [`optimizer.${name}`],
    text: `\`optimizer.${name}\` above ${STRONG}.`,
    check({ optimizer }) {
      if (optimizer[name] <= STRONG) return;
      return `${
        optimizer[name]
      } is above ${STRONG}, which shrinks the weights faster than they learn: DINO's is ` +
        "0.04 to 0.4";
    },
  };
}

function slowerRate(name: "min_lr" | "warmup_start_lr"): Warning {
  return {
    keys: [`scheduler.${name}`, ...RATE_KEYS],
    text: `\`scheduler.${name}\` above the peak of the learning rate.`,
    check(config) {
      const [found, peak] = [config.scheduler[name], peakRate(config)];
      if (found <= peak) return;
      return `${found} is above the peak of the learning rate (${peak}): the rate runs the wrong way`;
    },
  };
}

/** Every warning, in the order of the documentation. */
export const WARNINGS: readonly Warning[] = [
  {
    keys: [
      "augmentation.local.crop_scale_max",
      "augmentation.local_crop_scale_max",
      "augmentation.local_crop_scale_min",
      "augmentation.local.crop_scale_min",
      "augmentation.global_crop_scale_min",
      "augmentation.global_crop_scale_max",
    ],
    text: "Local crops that are on average larger, as shares of the picture, than global ones.",
    check({ augmentation: { global_1, local, num_local_views } }) {
      const mean = (view: typeof local) => (view.crop_scale_min + view.crop_scale_max) / 2;
      const [small, large] = [local, global_1].map(mean);
      if (num_local_views === 0 || small <= large) return;
      const percent = (share: number) => `${Math.round(100 * share)} %`;
      return `local crops hold ${percent(small)} of a picture on average and global ones ${
        percent(large)
      }: ` +
        "they are meant to be the smaller ones";
    },
  },
  unscaled("normalize_mean"),
  unscaled("normalize_std"),
  softTeacher("teacher_temp"),
  softTeacher("warmup_teacher_temp"),
  {
    keys: RATE_KEYS,
    text: `A learning rate above ${FAST} at its peak, scaling by the batch included.`,
    check(config) {
      const rate = peakRate(config);
      if (rate <= FAST) return;
      const scaled = config.optimizer.lr_scale_by_batch ? " after scaling by the batch" : "";
      return `a peak of ${
        Number(rate.toPrecision(3))
      }${scaled} is above ${FAST}: vision transformers learn ` +
        "with 0.0001 to 0.01";
    },
  },
  strongDecay("weight_decay"),
  strongDecay("weight_decay_end"),
  {
    keys: ["optimizer.betas"],
    text: "`optimizer.betas` with the first above the second.",
    check({ optimizer: { betas } }) {
      if (betas[0] <= betas[1]) return;
      return `the first, ${betas[0]}, is above the second, ${betas[1]}: are they swapped?`;
    },
  },
  slowerRate("min_lr"),
  slowerRate("warmup_start_lr"),
  {
    keys: ["scheduler.warmup_epochs", "training.num_epochs"],
    text: "A warm-up of the learning rate that takes all epochs.",
    check({ scheduler, training }) {
      if (scheduler.warmup_epochs < training.num_epochs) return;
      return `the warm-up takes all ${training.num_epochs} epochs of the run: the rate never falls`;
    },
  },
  {
    keys: ["training.teacher_momentum"],
    text: `\`training.teacher_momentum\` below ${HASTY}.`,
    check({ training: { teacher_momentum: momentum } }) {
      if (momentum >= HASTY) return;
      return `${momentum} is below ${HASTY}: the teacher is hardly an average of its students, DINO's is 0.99 or more`;
    },
  },
  {
    keys: ["training.teacher_momentum_final", "training.teacher_momentum"],
    text: "`training.teacher_momentum_final` below `training.teacher_momentum`.",
    check({ training }) {
      const { teacher_momentum: start, teacher_momentum_final: end } = training;
      if (!training.teacher_momentum_schedule || end >= start) return;
      return `${end} is below training.teacher_momentum (${start}): the teacher would follow ever faster`;
    },
  },
  {
    keys: ["training.freeze_last_layer", "training.num_epochs"],
    text: "`training.freeze_last_layer` for all epochs.",
    check({ training: { freeze_last_layer: frozen, num_epochs: epochs } }) {
      if (frozen < epochs) return;
      return `the head's last layer is not trained in any of the ${epochs} epochs`;
    },
  },
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
  const { max_steps: most } = training;
  const warmup = scheduler.warmup_epochs * stepsPerEpoch;
  if (most === null || warmup <= most) return [];
  return [
    `scheduler.warmup_epochs: the warm-up takes ${warmup} steps and training.max_steps ends the run after ${most}: ` +
    "the learning rate does not reach its peak",
  ];
}
