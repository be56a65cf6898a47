/**
 * How long a run is to be: by the number of pictures, or by the time that there is.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { durationText } from "./duration.ts";

/** About the fewest steps after which a teacher found views better than an untrained model: configs/small.yaml. */
export const FEWEST_STEPS = 1000;

/** Steps after which every figure was above an untrained model's: twenty epochs of 7,572 pictures. */
const ENOUGH_STEPS = 2360;

/** Share of a budget that is spent on steps; the rest is for evaluation and saving. */
const SPENT = 0.9;

/** What a run must at least last for. */
export const WARMUPS = ["scheduler.warmup_epochs", "loss.warmup_teacher_temp_epochs"];

const KEY = "training.num_epochs";
const count = (n: number) => n.toLocaleString("en");

/** What the length depends on. */
export interface Length {
  /** Number of pictures N. */
  pictures: number;
  /** Steps of an epoch. */
  stepsPerEpoch: number;
  /** Pictures of a step. */
  perStep: number;
  /** Epochs, where they are given. */
  epochs?: number;
  /** Seconds that the run may take, and seconds of a picture in training. */
  budget?: { seconds: number; secondsPerImage: number };
  /** Values that stay, by key: warm-ups among them. */
  given?: ReadonlyMap<string, unknown>;
}

/**
 * Epochs: those given, those that the budget allows, or by the number of pictures.
 *
 * @param choose Takes note of the choice.
 * @throws {HatchlingError} When the budget does not allow one epoch, or not the warm-ups.
 */
export function chooseEpochs(
  { pictures: n, stepsPerEpoch, perStep, epochs, budget, given = new Map() }: Length,
  choose: (key: string, value: number, reason: string) => number,
): number {
  if (epochs !== undefined) return epochs;
  if (budget) {
    const perEpoch = budget.secondsPerImage * stepsPerEpoch * perStep;
    const value = Math.floor(SPENT * budget.seconds / perEpoch);
    if (value < 1) {
      throw new HatchlingError(
        `Expected a budget of at least one epoch, ${Math.ceil(perEpoch / SPENT)} s, but found ` +
          `${budget.seconds} s: raise --budget, or make model, views or data set smaller`,
      );
    }
    for (const warmup of WARMUPS) {
      const least = Number(given.get(warmup) ?? 0);
      if (value >= least) continue;
      throw new HatchlingError(
        `Expected a budget of at least ${least} epochs, which is ${warmup}, ` +
          `${durationText(least * perEpoch / SPENT)}, but ${budget.seconds} s allow ${value}: ` +
          `raise --budget or set ${warmup} to less`,
      );
    }
    const each = durationText(perEpoch);
    return choose(KEY, value, `${each} an epoch, within ${SPENT * 100} % of the budget`);
  }
  // Few pictures are seen more often: an epoch of them is a handful of steps.
  const usual = Math.round(60 * (n / 7572) ** 0.1);
  const needed = Math.ceil(ENOUGH_STEPS / stepsPerEpoch);
  const value = Math.max(usual, needed);
  for (const warmup of WARMUPS) {
    const least = Number(given.get(warmup) ?? 0);
    if (value >= least) continue;
    throw new HatchlingError(
      `Expected ${warmup} to be at most ${value}, the epochs chosen for ${
        count(n)
      } pictures, but found ${least}: ` +
        `set it to less, or ${KEY} to more`,
    );
  }
  return choose(
    KEY,
    value,
    needed > usual
      ? `${count(ENOUGH_STEPS)} steps at least, ${stepsPerEpoch} an epoch`
      : `60 · (N / 7,572)^0.1 for N = ${count(n)} pictures`,
  );
}

/**
 * What to expect of a run that is too short.
 *
 * @param steps Steps of the run.
 * @param epoch Steps of an epoch and seconds of a step, where a budget decides.
 * @returns A warning; undefined where the run is long enough.
 *
 * @example
 * ```ts
 * import { shortRun } from "./length.ts";
 *
 * console.assert(shortRun(5000) === undefined && shortRun(100)!.startsWith("100 steps are few"));
 * ```
 */
export function shortRun(
  steps: number,
  epoch?: { steps: number; secondsPerStep: number },
): string | undefined {
  if (steps >= FEWEST_STEPS) return;
  let enough = "more epochs";
  if (epoch) {
    const needed = Math.ceil(FEWEST_STEPS / epoch.steps) * epoch.steps;
    enough = `a --budget of ${durationText(needed * epoch.secondsPerStep / SPENT)} or more`;
  }
  return `${count(steps)} steps are few: below about ${count(FEWEST_STEPS)}, features are seldom ` +
    `better than those of an untrained model. Take ${enough}, or a smaller model`;
}
