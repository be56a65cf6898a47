/**
 * Settings that fit the data: `preset: auto`.
 *
 * Every rule goes through two observations: what was found on 7,572 pictures of 32 pixels with models 64 to 96
 * wide (configs/small.yaml, configs/emoji.yaml), and DINO's recipe for the 1.28 million pictures of ImageNet with
 * ViT-S and batches of 1,024 (Caron et al. 2021, section 3.2 and the defaults of `main_dino.py`). Between the two
 * it is interpolated in the logarithm, and beyond them held.
 *
 * @module
 */
import { AUGMENTATION_DEFAULTS } from "./augmentation/options.ts";
import { LOSS_KEYS } from "./config/schema_model.ts";
import { OPTIMIZER_KEYS } from "./config/schema_run.ts";
import { HatchlingError } from "./errors.ts";
import { chooseEpochs } from "./preset/length.ts";

export { durationText, parseDuration } from "./preset/duration.ts";
export { FEWEST_STEPS, shortRun, WARMUPS } from "./preset/length.ts";

/** What the choice depends on. */
export interface PresetInput {
  /** Number of pictures N. */
  pictures: number;
  /** Pixels of the largest picture. Left out, pictures are as large as the global views. */
  largestPixels?: number;
  /** Pictures of a batch, where it is given. */
  batchSize?: number;
  /** Batches of a step; 1 when left out. */
  accumulationSteps?: number;
  /** Epochs, where they are given. */
  epochs?: number;
  /** Side of a global view in pixels. */
  globalCropSize: number;
  /** Width of the transformer. */
  dim: number;
  /** Seconds that the run may take, and seconds of a picture in training: they decide the epochs. */
  budget?: { seconds: number; secondsPerImage: number };
  /** What the file or the command line set, by key: it stays, and what is chosen beside it agrees with it. */
  given?: ReadonlyMap<string, unknown>;
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

const { numLocalViews, views: { local } } = AUGMENTATION_DEFAULTS;
const { brightness, contrast, saturation, hue } = local;
/** The end of the scale: the defaults. */
const DINO = {
  localViews: numLocalViews,
  cropScale: local.cropScale,
  jitter: { brightness, contrast, saturation, hue },
  temperature: LOSS_KEYS.teacher_temp[1],
  center: LOSS_KEYS.center_momentum[1],
  decay: OPTIMIZER_KEYS.weight_decay[1],
};

const clamp = (x: number, low: number, high: number) => Math.min(high, Math.max(low, x));
const round = (x: number, digits = 2) => Number(x.toPrecision(digits));
const mix = (a: number, b: number, share: number) => a + (b - a) * share;
const count = (n: number) => n.toLocaleString("en");

/** Momentum whose average forgets half within so many steps. */
const momentum = (steps: number) => round(1 - round(Math.LN2 / steps, 3), 12);

/**
 * Chooses settings. Keys of `given` are left out.
 *
 * @param input What is known.
 * @returns Keys of the configuration with values and reasons.
 * @throws {HatchlingError} When the budget does not allow one epoch, or nothing was asked sensibly: no picture, or
 * a batch larger than all of them.
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
  const { pictures: n, globalCropSize, dim, accumulationSteps = 1, given = new Map() } = input;
  if (!(n >= 1)) {
    throw new HatchlingError(`Expected at least one picture but found ${n}: check data.path`);
  }
  const choices: Choice[] = [];
  /** Takes what is given, else the choice. */
  const choose = <T extends number | boolean>(key: string, value: T, reason: string): T => {
    if (given.has(key)) return given.get(key) as T;
    choices.push({ key, value, reason });
    return value;
  };
  const few = `${count(n)} pictures`;

  // From few pictures, 10⁴, to many, 10⁶; from small ones, 32 px, to ImageNet's, 224 px.
  const many = clamp((Math.log10(n) - 4) / 2, 0, 1);
  const side = Math.min(globalCropSize, Math.sqrt(input.largestPixels ?? Infinity));
  const large = clamp(Math.log2(side / 32) / Math.log2(224 / 32), 0, 1);

  const fitting = Math.max(
    1,
    Math.min(clamp(floorPower(n / 32), 8, 64), n / accumulationSteps | 0),
  );
  const batch = input.batchSize ?? fitting;
  if (input.batchSize === undefined) {
    choices.push({
      key: "data.batch_size",
      value: batch,
      reason: `at least 32 steps an epoch with ${few}, but 8 to 64`,
    });
  }
  const perStep = batch * accumulationSteps;
  const stepsPerEpoch = Math.floor(n / perStep);
  if (stepsPerEpoch < 1) {
    throw new HatchlingError(
      `Expected at least ${perStep} pictures, a step, but found ${n}: lower data.batch_size or ` +
        "training.gradient_accumulation_steps",
    );
  }
  const epochs = chooseEpochs({ ...input, stepsPerEpoch, perStep }, choose);
  const steps = epochs * stepsPerEpoch;

  choose(
    "model.projection_output_dim",
    clamp(2 ** Math.round(Math.log2(n / 4)), 1024, 65536),
    `K: the power of two next to N / 4 for ${few}, 1,024 to 65,536`,
  );
  choose(
    "model.init_std",
    round(0.4 / Math.sqrt(dim)),
    `0.4 / √${dim}, as DINO's 0.02 is at a width of 384`,
  );

  const temperature = choose(
    "loss.teacher_temp",
    round(mix(0.03, DINO.temperature, many), 3),
    many === 1 ? `DINO's, for ${few}` : `${few}: with few, ${DINO.temperature} stays near uniform`,
  );
  choose("loss.warmup_teacher_temp", temperature, "as loss.teacher_temp: it is low already");
  // However few pictures a step has: a slower centre, 0.9^(P / 64), let 300 photographs in steps of 8 collapse to
  // one peak in three runs of three; with 0.9 none did.
  choose("loss.center_momentum", DINO.center, "DINO's: a slower centre lets few pictures collapse");

  // A half-life of 2,200 pictures at N = 7,572 (0.98 at 64, 0.99 at 32), of 177,000 on ImageNet (0.996 at 1,024);
  // 34 steps, 0.98, are the fewest that were tried.
  const halfLife = clamp(2200 * (n / 7572) ** 0.855 / perStep, 34, Math.max(34, steps / 30));
  const last = given.get("training.teacher_momentum_final") as number | undefined;
  const first = choose(
    "training.teacher_momentum",
    Math.min(momentum(halfLife), last ?? 1),
    `half is forgotten in ${count(Math.round(halfLife))} of ${count(steps)} steps`,
  );
  choose(
    "training.teacher_momentum_final",
    Math.max(first, momentum(Math.max(halfLife, 0.2 * steps))),
    "at the end in a fifth of the run",
  );
  choose(
    "training.freeze_last_layer",
    epochs < 10 ? 0 : 1,
    epochs < 10 ? `an epoch would be 1 / ${epochs} of the run` : "DINO's: the first epoch",
  );

  chooseRate(choose, given, perStep, dim);
  const decay = (given.get("optimizer.weight_decay") as number | undefined) ?? DINO.decay;
  choose(
    "optimizer.weight_decay_end",
    round(decay * 10 ** many),
    many ? `from ${decay}, for ${few}` : `constant at ${decay}, as ${few} are few`,
  );
  choose(
    "scheduler.warmup_epochs",
    clamp(Math.round(epochs / 10), epochs > 1 ? 1 : 0, 10),
    "a tenth of the run, ten epochs at most",
  );

  const views = `views of ${Math.round(side)} px hold ${
    large < 1 ? "little" : "as much as DINO's"
  }`;
  const [min, max] = ["min", "max"].map((end) => `augmentation.local_crop_scale_${end}`);
  const least = choose(
    min,
    Math.min(
      round(mix(0.2, DINO.cropScale[0], large)),
      (given.get(max) as number | undefined) ?? 1,
    ),
    views,
  );
  choose(max, Math.max(round(mix(0.6, DINO.cropScale[1], large)), least), views);
  choose("augmentation.num_local_views", Math.round(mix(4, DINO.localViews, large)), views);
  const strength = mix(0.5, 1, large);
  for (const [name, full] of Object.entries(DINO.jitter)) {
    const reason = `${Math.round(100 * strength)} % of DINO's: ${views}`;
    choose(`augmentation.${name}`, round(full * strength), reason);
  }
  return choices;
}

const floorPower = (x: number) => 2 ** Math.floor(Math.log2(Math.max(1, x)));

/** The peak rate, in the unit that the configuration has or is free to take. */
function chooseRate(
  choose: <T extends number | boolean>(key: string, value: T, reason: string) => T,
  given: ReadonlyMap<string, unknown>,
  perStep: number,
  dim: number,
): void {
  if (given.has("optimizer.lr")) return; // its unit is then that of the file, too
  const scales = choose("optimizer.lr_scale_by_batch", false, "optimizer.lr is meant as it is");
  const rate = Math.min(2e-3, 2e-3 * perStep / 64 * Math.min(1, 96 / dim) ** 2);
  choose(
    "optimizer.lr",
    round(scales ? rate * 256 / perStep : rate, 3),
    `2e-3 · ${perStep} / 64 · min(1, 96 / ${dim})², 2e-3 at most` +
      (scales ? ", per 256 pictures" : ""),
  );
}

/** Keys that {@linkcode choosePreset} may set. */
export const PRESET_KEYS: ReadonlySet<string> = new Set(
  choosePreset({ pictures: 1000, globalCropSize: 32, dim: 64 }).map(({ key }) => key),
);
