/**
 * The settings that only the data and the GPU can decide: `preset: auto`, `data.batch_size: auto`, `--budget`.
 *
 * @module
 */
import { type Config, parseConfig, stringifyConfig } from "../../lib/config.ts";
import { allKeys, valueAt } from "../../lib/config/describe.ts";
import { runWarnings } from "../../lib/config/warnings.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { autoBatch, checkFits } from "../../lib/plan/fit.ts";
import { withBatch } from "../../lib/plan/remedies.ts";
import { type StepTime, stepTime } from "../../lib/plan/timing.ts";
import {
  type Choice,
  choosePreset,
  type Chosen,
  expectation,
  fittingBatch,
  type Given,
  guessedSpeed,
  parseDuration,
  presetKeys,
  shortRun,
  withValue,
} from "../../lib/preset.ts";
import { evaluationShare, pictureFlops } from "../../lib/preset/cost.ts";
import { stepsOf } from "../../lib/preset/length.ts";
import type { Progress } from "./progress.ts";

const BATCH = "data.batch_size", EPOCHS = "training.num_epochs";

/** What the user has said. */
export interface Asked {
  /** The configuration as it was given. */
  config: Config;
  /** Keys that somebody has set, with their values as they stand there. */
  given: Given;
  /** Time that the run may take, "2h". */
  budget?: string;
  /** Weights that it starts from, whose shape the configuration has. */
  weights?: string;
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
  /** How many ranks share every batch; 1 unless given. */
  ranks?: number;
  /** Measures a step. */
  measure?: typeof stepTime;
}

/** What came of it. */
export interface Resolved extends Chosen {
  /** How long a step takes, where a budget had it measured. */
  time?: StepTime;
}

/** Works out the final configuration, and says what is chosen, kept, and odd about it. */
export async function resolveConfig(asked: Asked, deciding: Deciding): Promise<Resolved> {
  const { config, given, budget } = asked, { dataset, before, progress } = deciding;
  const auto = config.training.preset === "auto", automatic = given.get(BATCH) === "auto";
  if (before) {
    if (budget) {
      progress.say("note: --budget changes nothing: a run that goes on ends where it was to end");
    }
    return { config: goOn(asked, before), choices: [] };
  }
  if (!auto && !budget) {
    const fitted = automatic ? await withFittingBatch(config, deciding) : undefined;
    if (fitted) progress.say(`${BATCH} ${fitted.value}: ${fitted.reason}`);
    const resolved = fitted?.config ?? config;
    warn(progress, resolved, dataset.length, asked.weights);
    return { config: resolved, choices: fitted ? [fitted] : [] };
  }

  const { config: chosen, choices, time } = await choose(asked, deciding);
  for (const { key, value, reason } of choices) progress.say(`${key} ${value}: ${reason}`);
  for (const key of auto ? presetKeys() : [EPOCHS]) {
    const stays = given.has(key) && given.get(key) !== "auto";
    if (stays) progress.say(`${key} ${valueAt(config, key)}: kept, as it is set`);
  }
  // What was chosen beside what was given still has to obey the rules.
  const resolved = parseConfig(stringifyConfig(chosen), {
    file: "the configuration that was chosen",
  });
  if (auto) progress.say(`note: ${expectation(dataset.length, asked.weights !== undefined)}`);
  const evaluation = evaluationShare(resolved, dataset.length);
  const decides = time && !given.has(EPOCHS) && { secondsPerStep: time.seconds, evaluation };
  warn(progress, resolved, dataset.length, asked.weights, decides || undefined);
  return { config: resolved, choices, time };
}

/** The configuration of a run that goes on: what was chosen when it began stays, unless it is set. */
function goOn(
  { config, given }: Asked,
  before: NonNullable<Deciding["before"]>,
): Config {
  const keys = new Set([EPOCHS]); // a budget may have chosen them, and is not named again
  if (config.training.preset === "auto") {
    for (const key of presetKeys()) keys.add(key);
    // What was read off given weights is not said again.
    for (const { path } of allKeys()) if (/^(model|augmentation)\./.test(path)) keys.add(path);
  }
  if (before.paced) keys.add("training.max_steps");
  const free = [...keys].filter((key) => !given.has(key));
  if (given.get(BATCH) === "auto") free.push(BATCH);
  return free.reduce((kept, key) => {
    const value = valueIn(before.config, key);
    return value === undefined ? kept : withValue(kept, key, value, given);
  }, config);
}

const valueIn = (config: unknown, key: string) =>
  key.split(".").reduce<unknown>(
    (value, name) => (value as Record<string, unknown>)?.[name],
    config,
  );

/** What `preset: auto` and a budget choose. */
async function choose(
  { config, given: written, budget, weights }: Asked,
  deciding: Deciding,
): Promise<Resolved> {
  const { gpu, dataset: { length: pictures, largestPixels }, progress } = deciding;
  const { measure = stepTime, ranks = 1 } = deciding;
  const auto = config.training.preset === "auto", automatic = written.get(BATCH) === "auto";
  const given = new Map(written);
  if (automatic) given.delete(BATCH);
  const isFree = automatic || (auto && !given.has(BATCH));
  const attempt = async (flopsPerSecond: number, tentative: boolean): Promise<Chosen> => {
    const of = (config: Config, given: Given) =>
      choosePreset({
        config,
        given,
        pictures,
        largestPixels,
        flopsPerSecond,
        tentative,
        budget: budget === undefined ? undefined : parseDuration(budget),
        onlyEpochs: !auto,
        fromWeights: weights !== undefined,
      });
    const whole = fittingBatch(pictures, config.training.gradient_accumulation_steps);
    const wanted = isFree && !auto ? withBatch(config, whole) : config;
    const found = of(wanted, given);
    const fitted = isFree ? await withFittingBatch(found.config, deciding) : undefined;
    if (!fitted || (auto && fitted.value === whole)) return found;
    // Less than suits the pictures: everything that follows from the batch is chosen again.
    const { choices, config: again } = of(
      withBatch(config, fitted.value),
      new Map(given).set(BATCH, fitted.value),
    );
    return { config: again, choices: [fitted, ...choices] };
  };

  let found = await attempt(guessedSpeed(gpu.isSoftware), budget !== undefined);
  if (!budget) return found;
  // How fast this machine is shows with the model that is likely; where it turns out to be another, with that one.
  for (let tries = 0;; tries++) {
    const { config: likely } = found;
    const share = withBatch(likely, likely.data.batch_size / ranks);
    await checkFits(gpu, share, { largestPixels });
    const time = await measure(
      gpu,
      share,
      { largestPixels },
      (what) => progress.show(what, true),
    );
    progress.end();
    const perStep = likely.data.batch_size * likely.training.gradient_accumulation_steps;
    const speed = pictureFlops(likely) * perStep / time.seconds;
    const next = await attempt(speed, false);
    const same = costOf(next.config) === costOf(likely);
    if (same || tries === 2) return { ...next, time: same ? time : undefined };
    found = next;
  }
}

/** Tells configurations of other costs apart. */
const costOf = ({ augmentation, data, model }: Config) =>
  JSON.stringify([
    data.batch_size,
    model,
    augmentation.global_crop_size,
    augmentation.num_local_views,
  ]);

/** The largest batch of which every rank's share fits, up to what suits the pictures. */
async function withFittingBatch(
  config: Config,
  { gpu, dataset, ranks = 1 }: Deciding,
): Promise<Choice & { value: number; config: Config }> {
  const { largestPixels } = dataset;
  const most = fittingBatch(dataset.length, config.training.gradient_accumulation_steps);
  const share = Math.max(1, Math.floor(most / ranks));
  const { batchSize, why } = await autoBatch(gpu, config, { largestPixels }, share);
  const value = batchSize * ranks;
  const reason = ranks > 1 ? `${batchSize} on each of ${ranks} ranks, ${why}` : why;
  return { key: BATCH, value, reason, config: withBatch(config, value) };
}

/** Says what is odd now that the steps of an epoch are known. */
function warn(
  progress: Progress,
  config: Config,
  pictures: number,
  weights: string | undefined,
  time?: Parameters<typeof shortRun>[2],
): void {
  const { perEpoch } = stepsOf(config, pictures);
  const short = weights === undefined ? shortRun(config, pictures, time) : undefined;
  for (const line of [...runWarnings(config, perEpoch), short]) {
    if (line) progress.say(`warning: ${line}`);
  }
}
