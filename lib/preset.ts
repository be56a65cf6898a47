/**
 * Settings that fit the data: `preset: auto`.
 *
 * Every rule is a smooth function through two observations: what was found on 7,572 pictures of 32 pixels with
 * models 64 to 96 wide (configs/small.yaml, configs/emoji.yaml), and DINO's recipe for the 1.28 million pictures of
 * ImageNet with ViT-S (Caron et al. 2021, `main_dino.py`).
 *
 * @module
 */

import { HatchlingError } from "./errors.ts";

/** What the choice depends on. */
export interface PresetInput {
  /** Number of pictures N. */
  pictures: number;
  /** Pictures of a step, where it is given. */
  batchSize?: number;
  /** Epochs, where they are given. */
  epochs?: number;
  /** Side of a global view in pixels. */
  globalCropSize: number;
  /** Width of the transformer. */
  dim: number;
  /** Seconds that the run may take, and seconds of a picture in training: they decide the epochs. */
  budget?: { seconds: number; secondsPerImage: number };
}

/** One setting that was chosen. */
export interface Choice {
  /** Key of the configuration. */
  key: string;
  /** Its value. */
  value: number | boolean;
  /** Why, in words. */
  reason: string;
}

/** Fewest steps after which features were better than those of an untrained model. */
export const FEWEST_STEPS = 1000;

/** Share of a budget that is spent on steps; the rest is for evaluation and saving. */
const SPENT = 0.9;

const clamp = (x: number, low: number, high: number) => Math.min(high, Math.max(low, x));
const round = (x: number, digits = 2) => Number(x.toPrecision(digits));
const mix = (a: number, b: number, share: number) => a + (b - a) * share;
const count = (n: number) => n.toLocaleString("en");

/** Momentum whose average forgets half within so many steps. */
const momentum = (steps: number) => round(1 - Math.LN2 / steps, 6);

/**
 * Chooses settings.
 *
 * @param input What is known.
 * @returns Keys of the configuration with values and reasons.
 * @throws {HatchlingError} When the budget does not allow one epoch.
 *
 * @example
 * ```ts
 * import { choosePreset } from "./preset.ts";
 *
 * for (const { key, value, reason } of choosePreset({ pictures: 7572, globalCropSize: 32, dim: 96 })) {
 *   console.log(`${key} ${value}: ${reason}`);
 * }
 * ```
 */
export function choosePreset(input: PresetInput): Choice[] {
  const { pictures: n, globalCropSize, dim, budget } = input;
  const choices: Choice[] = [];
  const choose = (key: string, value: number | boolean, reason: string) =>
    void choices.push({ key, value, reason });

  // From few pictures, 10⁴, to many, 10⁶; from small ones, 32 px, to ImageNet's, 224 px.
  const many = clamp((Math.log10(n) - 4) / 2, 0, 1);
  const large = clamp(Math.log2(globalCropSize / 32) / Math.log2(224 / 32), 0, 1);

  const batch = input.batchSize ?? clamp(2 ** Math.floor(Math.log2(Math.max(1, n / 32))), 8, 64);
  if (input.batchSize === undefined) {
    choose(
      "data.batch_size",
      batch,
      `at least 32 steps an epoch with ${count(n)} pictures, 64 at most`,
    );
  }
  const stepsPerEpoch = Math.max(1, Math.floor(n / batch));

  let epochs = input.epochs ?? Math.round(60 * (n / 7572) ** 0.1);
  if (budget) {
    const perEpoch = budget.secondsPerImage * stepsPerEpoch * batch;
    const allowed = Math.floor(SPENT * budget.seconds / perEpoch);
    if (allowed < 1) {
      throw new HatchlingError(
        `Expected a budget of at least one epoch, ${Math.ceil(perEpoch / SPENT)} s, but found ` +
          `${budget.seconds} s: raise --budget, or make model, views or data set smaller`,
      );
    }
    epochs = input.epochs ?? allowed;
    choose(
      "training.num_epochs",
      epochs,
      `${Math.round(perEpoch)} s an epoch, within ${SPENT * 100} % of the budget`,
    );
  } else if (input.epochs === undefined) {
    choose("training.num_epochs", epochs, `60 · (N / 7,572)^0.1 for N = ${count(n)} pictures`);
  }
  const steps = epochs * stepsPerEpoch;

  const few = `${count(n)} pictures`;
  choose(
    "model.projection_output_dim",
    clamp(2 ** Math.round(Math.log2(n / 4)), 1024, 65536),
    `about N / 4 for ${few}`,
  );
  choose(
    "model.init_std",
    round(0.4 / Math.sqrt(dim)),
    `0.4 / √${dim}, DINO's 0.02 at a width of 384`,
  );
  const temperature = round(mix(0.03, 0.04, many), 3);
  const near = many < 1 ? "; 0.04 stays near uniform with few" : "";
  choose("loss.teacher_temp", temperature, `${few}${near}`);
  choose("loss.warmup_teacher_temp", temperature, "no warm-up: it is low already");
  choose(
    "loss.center_momentum",
    round(Math.max(0.9, 0.9 ** (batch / 64)), 4),
    `batches of ${batch}: the smaller, the slower`,
  );
  const first = clamp(0.0048 * steps, 20, 173);
  choose(
    "training.teacher_momentum",
    momentum(first),
    `half is forgotten in ${Math.round(first)} of ${count(steps)} steps`,
  );
  choose(
    "training.teacher_momentum_final",
    momentum(Math.max(first, 0.2 * steps)),
    "at the end in a fifth of the run",
  );
  choose("optimizer.lr_scale_by_batch", false, "the rate below is meant as it is");
  choose(
    "optimizer.lr",
    round(2e-3 * batch / 64 * Math.min(1, 96 / dim) ** 2, 3),
    `2e-3 · ${batch} / 64 · min(1, 96 / ${dim})²`,
  );
  choose(
    "optimizer.weight_decay_end",
    round(0.04 * 10 ** many),
    many ? few : `constant, as ${few} are few`,
  );
  choose(
    "scheduler.warmup_epochs",
    clamp(Math.round(epochs / 10), epochs > 1 ? 1 : 0, 10),
    "a tenth of the run, ten epochs at most",
  );

  const views = `global views of ${globalCropSize} px`;
  choose(
    "augmentation.local_crop_scale_min",
    round(mix(0.2, 0.05, large)),
    `${views}: small pictures hold little`,
  );
  choose("augmentation.local_crop_scale_max", round(mix(0.6, 0.4, large)), views);
  choose("augmentation.num_local_views", Math.round(mix(4, 8, large)), views);
  const strength = mix(0.5, 1, large);
  for (
    const [key, full] of [["brightness", 0.4], ["contrast", 0.4], ["saturation", 0.2], [
      "hue",
      0.1,
    ]] as const
  ) {
    choose(
      `augmentation.${key}`,
      round(full * strength),
      `${Math.round(100 * strength)} % of DINO's, ${views}`,
    );
  }
  return choices;
}

/** Keys that {@linkcode choosePreset} may set. */
export const PRESET_KEYS: ReadonlySet<string> = new Set(
  choosePreset({ pictures: 1000, globalCropSize: 32, dim: 64 }).map(({ key }) => key),
);

/**
 * Reads a duration: `90s`, `45m`, `2h`, `1h30m`, `3d`.
 *
 * @returns Seconds.
 * @throws {HatchlingError} When it is none.
 *
 * @example
 * ```ts
 * import { parseDuration } from "./preset.ts";
 *
 * console.assert(parseDuration("1h30m") === 5400);
 * ```
 */
export function parseDuration(text: string): number {
  const units = { d: 86400, h: 3600, m: 60, s: 1 };
  const parts =
    /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(
      text.trim(),
    );
  const seconds = Object.values(units).reduce(
    (sum, unit, i) => sum + unit * Number(parts?.[i + 1] ?? 0),
    0,
  );
  if (!(seconds > 0)) {
    throw new HatchlingError(
      `Expected a duration such as 90s, 45m, 2h, 1h30m or 3d but found "${text}"`,
    );
  }
  return seconds;
}
