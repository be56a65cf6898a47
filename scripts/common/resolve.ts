/**
 * The settings that only the data and the GPU can decide: `preset: auto`, `data.batch_size: auto`, `--budget`.
 *
 * @module
 */
import { type Config, parseConfig, stringifyConfig } from "../../lib/config.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import type { Gpu } from "../../lib/gpu.ts";
import {
  type Choice,
  choosePreset,
  parseDuration,
  PRESET_KEYS,
  shortRun,
  WARMUPS,
} from "../../lib/preset.ts";
import { allKeys, valueAt } from "../../lib/config/describe.ts";
import { runWarnings } from "../../lib/config/warnings.ts";
import { autoBatch, checkFits } from "../../lib/plan/fit.ts";
import { withBatch } from "../../lib/plan/remedies.ts";
import { stepTime } from "../../lib/plan/timing.ts";
import { say } from "./terminal.ts";
import type { Progress } from "./progress.ts";

/** What the user has said. */
export interface Asked {
  /** The configuration as it was given. */
  config: Config;
  /** Keys that somebody has set, with their values as they stand there. */
  given: ReadonlyMap<string, unknown>;
  /** Time that the run may take, "2h". */
  budget?: string;
}

/** What decides. */
export interface Deciding {
  /** The GPU. */
  gpu: Gpu;
  /** The pictures. */
  dataset: Pick<Dataset, "length" | "largestPixels">;
  /**
   * Configuration of the checkpoint that the run goes on from, and whether a budget had moved its end: what was
   * decided then stays.
   */
  before?: { config: unknown; paced: boolean };
  /** Where to say what is chosen. */
  progress: Progress;
}

/** The final configuration. */
export async function resolveConfig(
  { config, given, budget }: Asked,
  { gpu, dataset, before, progress }: Deciding,
): Promise<Config> {
  const automatic = given.get("data.batch_size") === "auto";
  const free = (key: string) => !given.has(key) || (key === "data.batch_size" && automatic);
  const auto = config.training.preset === "auto";
  if (before) {
    if (budget) say("note: --budget changes nothing: a run that goes on ends where it was to end");
    // A budget may have chosen the epochs, and goes on without being named again.
    const keys = new Set([...auto ? PRESET_KEYS : [], "training.num_epochs"].filter(free));
    if (automatic) keys.add("data.batch_size");
    if (before.paced && free("training.max_steps")) keys.add("training.max_steps");
    return [...keys].reduce(
      (kept, key) => withValue(kept, key, valueOf(before.config, key), given),
      config,
    );
  }
  const sizes = { largestPixels: dataset.largestPixels };
  if (automatic) {
    const { batchSize, why } = await autoBatch(gpu, config, sizes, dataset.length);
    say(`data.batch_size ${batchSize}: ${why}`);
    config = withBatch(config, batchSize);
  }
  if (!auto && !budget) {
    warn(config, dataset.length);
    return config;
  }

  // Without the preset, a budget chooses the epochs: all else is as if it were given.
  const stays = auto ? given : new Map(WARMUPS.map((key) => [key, valueOf(config, key)]));
  const { model, augmentation, training, data } = config;
  const { gradient_accumulation_steps: accumulationSteps } = training;
  const seconds = budget && parseDuration(budget);
  const choose = (secondsPerImage?: number) =>
    choosePreset({
      pictures: dataset.length,
      batchSize: auto && free("data.batch_size") && !automatic ? undefined : data.batch_size,
      epochs: free("training.num_epochs") ? undefined : training.num_epochs,
      accumulationSteps,
      globalCropSize: augmentation.global_crop_size,
      largestPixels: dataset.largestPixels,
      dim: model.dim,
      given: stays,
      ...seconds && secondsPerImage && { budget: { seconds, secondsPerImage } },
    });
  const wanted = ({ key }: Choice) => auto || key === "training.num_epochs";
  const apply = (choices: readonly Choice[]) =>
    choices.reduce(
      (changed, { key, value }) => withValue(changed, key, value, given),
      config,
    );
  let choices = choose().filter(wanted);
  let step: number | undefined; // seconds of one
  if (seconds) {
    // Views and head are chosen by now, so a step can be measured as it will be.
    const likely = apply(choices);
    await checkFits(gpu, likely, sizes);
    step = (await stepTime(gpu, likely, sizes, (what) => progress.show(what, true))).seconds;
    progress.end();
    choices = choose(step / (likely.data.batch_size * accumulationSteps)).filter(wanted);
  }
  for (const { key, value, reason } of choices) say(`${key} ${value}: ${reason}`);
  for (const key of auto ? PRESET_KEYS : ["training.num_epochs"]) {
    if (!free(key)) say(`${key} ${valueOf(config, key)}: kept, as it is set`);
  }
  const resolved = apply(choices);
  const perStep = resolved.data.batch_size * accumulationSteps;
  const perEpoch = Math.floor(dataset.length / perStep);
  const steps = Math.min(resolved.training.num_epochs * perEpoch, training.max_steps ?? Infinity);
  const warning = shortRun(steps, step ? { steps: perEpoch, secondsPerStep: step } : undefined);
  if (warning) say(`warning: ${warning}`);
  warn(resolved, dataset.length);
  // What was chosen beside what was given still has to obey the rules.
  return parseConfig(stringifyConfig(resolved), { file: "the configuration that was chosen" });
}

/** Says what is odd now that the steps of an epoch are known. */
function warn(config: Config, pictures: number): void {
  const { data, training } = config;
  const perEpoch = Math.floor(
    pictures / (data.batch_size * training.gradient_accumulation_steps),
  );
  for (const line of runWarnings(config, perEpoch)) say(`warning: ${line}`);
}

function valueOf(config: unknown, key: string): unknown {
  const [section, name] = key.split(".");
  return (config as Record<string, Record<string, unknown>>)?.[section]?.[name];
}

/** A configuration with another value; keys that take theirs from it, as the tables of views do, follow it. */
function withValue(
  config: Config,
  key: string,
  value: unknown,
  given: ReadonlyMap<string, unknown>,
): Config {
  if (value === undefined) return config;
  const old = valueOf(config, key);
  let changed = withAt(config, key.split("."), value);
  for (const { path, inherits } of allKeys()) {
    if (inherits !== key || given.has(path) || valueAt(config, path) !== old) continue;
    changed = withAt(changed, path.split("."), value);
  }
  return changed;
}

/** The same object but for one value. */
function withAt<T extends object>(of: T, [name, ...inner]: string[], value: unknown): T {
  const below = (of as Record<string, object>)[name];
  return { ...of, [name]: inner.length ? withAt(below, inner, value) : value };
}
