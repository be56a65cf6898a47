/**
 * The settings that only the data and the GPU can decide: `preset: auto`, `data.batch_size: auto`, `--budget`.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import type { Gpu } from "../../lib/gpu/mod.ts";
import {
  type Choice,
  choosePreset,
  FEWEST_STEPS,
  parseDuration,
  PRESET_KEYS,
} from "../../lib/preset.ts";
import type { Arguments } from "./arguments.ts";
import { autoBatch, withBatch } from "./plan.ts";
import type { Progress } from "./progress.ts";
import { secondsPerStep } from "./timing.ts";

/** What decides. */
export interface Deciding {
  /** The GPU. */
  gpu: Gpu;
  /** The pictures. */
  dataset: Dataset;
  /** Configuration of the checkpoint that the run goes on from: what was decided then stays. */
  before?: unknown;
  /** Where to say what is chosen. */
  progress: Progress;
}

/** The final configuration. */
export async function settle(
  { config, given, budget }: Pick<Arguments, "config" | "given" | "budget">,
  { gpu, dataset, before, progress }: Deciding,
): Promise<Config> {
  const automatic = given.get("data.batch_size") === "auto";
  const free = (key: string) => !given.has(key) || (key === "data.batch_size" && automatic);
  const auto = config.training.preset === "auto";
  if (before) {
    const keys = [...auto ? [...PRESET_KEYS, "training.num_epochs"] : []].filter(free);
    if (automatic) keys.push("data.batch_size");
    if (budget && free("training.num_epochs")) keys.push("training.num_epochs");
    return keys.reduce((kept, key) => withValue(kept, key, valueOf(before, key)), config);
  }
  const sizes = { largestPixels: dataset.largestPixels };
  if (automatic) {
    const { batchSize, why } = await autoBatch(gpu, config, sizes, dataset.length);
    console.error(`data.batch_size ${batchSize}: ${why}`);
    config = withBatch(config, batchSize);
  }
  if (!auto && !budget) return config;

  const { model, augmentation, training, data } = config;
  const seconds = budget && parseDuration(budget);
  const choose = (secondsPerImage?: number) =>
    choosePreset({
      pictures: dataset.length,
      batchSize: auto && free("data.batch_size") && !automatic ? undefined : data.batch_size,
      epochs: free("training.num_epochs") ? undefined : training.num_epochs,
      globalCropSize: augmentation.global_crop_size,
      dim: model.dim,
      ...seconds && secondsPerImage && { budget: { seconds, secondsPerImage } },
    });
  const wanted = ({ key }: Choice) => auto || key === "training.num_epochs";
  let choices = choose().filter(wanted);
  if (seconds) {
    // Views and head are chosen by now, so a step can be measured as it will be.
    const likely = apply(config, choices, free);
    const step = await secondsPerStep(gpu, likely, sizes, (what) => progress.show(what, true));
    progress.end();
    choices = choose(step / likely.data.batch_size).filter(wanted);
  }
  for (const { key, value, reason } of choices) {
    console.error(free(key) ? `${key} ${value}: ${reason}` : `${key} kept as it is set`);
  }
  config = apply(config, choices, free);
  const steps = config.training.num_epochs * Math.floor(dataset.length / config.data.batch_size);
  if (seconds && steps < FEWEST_STEPS) {
    console.error(
      `warning: ${steps} steps are few: below about ${FEWEST_STEPS}, features are seldom better than those of an ` +
        "untrained model. A longer --budget would help, or a smaller model",
    );
  }
  return config;
}

function apply(config: Config, choices: readonly Choice[], free: (key: string) => boolean): Config {
  return choices.filter(({ key }) => free(key))
    .reduce((changed, { key, value }) => withValue(changed, key, value), config);
}

function valueOf(config: unknown, key: string): unknown {
  const [section, name] = key.split(".");
  return (config as Record<string, Record<string, unknown>>)?.[section]?.[name];
}

/** A configuration with another value; what the tables of views take from a shared key follows it. */
function withValue(config: Config, key: string, value: unknown): Config {
  if (value === undefined) return config;
  const [section, name] = key.split(".") as [keyof Config, string];
  const changed = { ...config[section], [name]: value } as Record<string, unknown>;
  const old = valueOf(config, key);
  if (section === "augmentation") {
    for (const table of ["global_1", "global_2", "local"]) {
      const inner = name.replace(/^local_crop_scale/, "crop_scale");
      if (inner !== name && table !== "local") continue;
      const view = changed[table] as Record<string, unknown>;
      if (inner in view && view[inner] === old) changed[table] = { ...view, [inner]: value };
    }
  }
  return { ...config, [section]: changed };
}
