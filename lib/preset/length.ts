/**
 * How long a run is to be: by the number of pictures, or by the time that there is.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { HatchlingError } from "../errors.ts";
import { isContrastive } from "./cost.ts";
import type { Draft } from "./draft.ts";
import { count, many } from "../words.ts";
import { durationText } from "./duration.ts";

/** Steps that a recipe needs. */
export interface Needs {
  /** About the fewest after which features were better than those of an untrained model. */
  fewest: number;
  /** As many as every recipe of this project had whose figures were all above an untrained model's. */
  enough: number;
}

/**
 * Steps that a configuration needs, by its objective, as measured on 7,572 pictures of 32 pixels in steps of 32 and
 * 64. DINO's loss alone: a teacher found views better than an untrained model after about 1,000 steps, and every
 * figure was above an untrained model's after 2,360. With a contrastive term: after 300 steps every figure was above
 * an untrained model's, and after 560 above raw pixels'; twice as many are taken here.
 *
 * @param fromWeights It goes on from given weights, which are worth something already.
 */
export function needsOf(config: Pick<Config, "loss">, fromWeights = false): Needs {
  if (fromWeights) return { fewest: 0, enough: 300 };
  return isContrastive(config) ? { fewest: 300, enough: 1200 } : { fewest: 1000, enough: 2360 };
}

/** Share of a budget that is spent on steps and evaluations; the rest is for compiling and saving. */
export const SPENT = 0.95;

/** Time that a run is to take where nobody says how much there is, in seconds. */
export const USUAL = 3600;

/** From so many pictures on, DINO's recipe is taken as it is; below, nothing but a few thousand was measured. */
export const MANY = 100_000;

/** A budget that is too short for the run that is asked for. */
export class BudgetError extends HatchlingError {}

const KEY = "training.num_epochs";

/** What the length depends on. */
export interface Length {
  /** Number of pictures N. */
  pictures: number;
  /** It goes on from given weights. */
  fromWeights?: boolean;
  /** Steps of an epoch. */
  stepsPerEpoch: number;
  /** Warm-ups that stay as they are, which a run must at least last for, by key. */
  warmups: readonly string[];
  /** Whether what is too short is refused; else it is made longer. */
  refuses: boolean;
  /** Seconds of an epoch, and epochs that the evaluation takes. */
  secondsPerEpoch: number;
  evaluation: number;
  /** Seconds that the run may take, where somebody says so. */
  budget?: number;
}

/**
 * Epochs: those that are set, those that the budget allows, or by the number of pictures.
 *
 * @throws {HatchlingError} When the budget does not allow one epoch, or not the warm-ups.
 */
export function chooseEpochs(
  draft: Draft,
  { pictures: n, fromWeights, warmups, refuses, ...length }: Length,
): void {
  if (draft.has(KEY)) return;
  const { budget, stepsPerEpoch, secondsPerEpoch, evaluation } = length;
  const within = (seconds: number) => Math.floor(SPENT * seconds / secondsPerEpoch - evaluation);
  const longest = warmups.toSorted((a, b) => draft.value(b) - draft.value(a)).at(0);
  const least = longest ? Math.ceil(draft.value(longest)) : 0;
  if (budget !== undefined) {
    const value = within(budget);
    const needed = (epochs: number) =>
      durationText((epochs + evaluation) * secondsPerEpoch / SPENT);
    if (!refuses) {
      draft.choose(KEY, Math.max(1, least, value), "as a guess");
      return;
    }
    if (value < 1) {
      throw new BudgetError(
        `Expected a budget of at least one epoch, ${needed(1)}, but found ` +
          `${durationText(budget)}: raise --budget, or make the model or its views smaller ` +
          "(deno task plan names what is faster)",
      );
    }
    if (value < least) {
      throw new BudgetError(
        `Expected a budget of at least ${least} epochs, which is ${longest}, ${needed(least)}, ` +
          `but ${durationText(budget)} allow ${value}: raise --budget or set ${longest} to less`,
      );
    }
    draft.choose(KEY, value, `${durationText(secondsPerEpoch)} an epoch, within the budget`);
    return;
  }
  // Few pictures are seen more often: an epoch of them is a handful of steps.
  const { enough } = needsOf(draft.config, fromWeights);
  const usual = Math.round(60 * (n / 7572) ** 0.1), needed = Math.ceil(enough / stepsPerEpoch);
  const hurried = n < MANY ? Math.min(usual, within(USUAL)) : usual;
  const value = Math.max(hurried, needed);
  if (value < least) {
    throw new HatchlingError(
      `Expected ${longest} to be at most ${value}, the epochs chosen for ${count(n)} pictures, ` +
        `but found ${least}: set it to less, or ${KEY} to more`,
    );
  }
  draft.choose(
    KEY,
    value,
    needed > hurried
      ? `${count(enough)} steps at least, ${stepsPerEpoch} an epoch`
      : hurried < usual
      ? "about an hour, as no --budget says how long"
      : `60 · (N / 7,572)^0.1 for N = ${count(n)} pictures`,
  );
}

/** Steps of an epoch, and of the whole run. */
export function stepsOf(
  { data, training }: Config,
  pictures: number,
): { perEpoch: number; all: number } {
  const perStep = data.batch_size * training.gradient_accumulation_steps;
  const perEpoch = Math.floor(pictures / perStep);
  return {
    perEpoch,
    all: Math.min(training.num_epochs * perEpoch, training.max_steps ?? Infinity),
  };
}

/** Whole steps that a budget has room for beside the evaluation. */
export function stepsWithin(
  seconds: number,
  { secondsPerStep, stepsPerEpoch, evaluation }: {
    secondsPerStep: number;
    stepsPerEpoch: number;
    evaluation: number;
  },
): number {
  return Math.max(0, Math.floor(SPENT * seconds / secondsPerStep - evaluation * stepsPerEpoch));
}

/**
 * What to expect of a run that is too short for what it is told to do, and what would do.
 *
 * @param config Its configuration.
 * @param pictures Number of pictures.
 * @param time Seconds of a step, where a budget decides, and epochs that the evaluation takes.
 * @returns A warning; undefined where the run is long enough.
 */
export function shortRun(
  config: Config,
  pictures: number,
  time?: { secondsPerStep: number; evaluation: number },
): string | undefined {
  const { fewest } = needsOf(config), { perEpoch, all } = stepsOf(config, pictures);
  if (all >= fewest || perEpoch < 1) return;
  const { num_epochs, max_steps } = config.training, epochs = Math.ceil(fewest / perEpoch);
  const remedies = [
    ...max_steps !== null && max_steps < fewest ? [`training.max_steps ${fewest}`] : [],
    ...num_epochs < epochs ? [`${KEY} ${epochs}`] : [],
  ];
  const seconds = time && (epochs + time.evaluation) * perEpoch * time.secondsPerStep / SPENT;
  const enough = seconds ? `a --budget of ${durationText(seconds)}` : remedies.join(" and ");
  const few = all === 1 ? "a single step is too few" : `${many(all, "step")} are few`;
  return `${few}: below about ${count(fewest)}, features are seldom better ` +
    `than those of an untrained model. Take ${enough} or more, or only try things out`;
}
