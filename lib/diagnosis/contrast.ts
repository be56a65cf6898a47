/**
 * What may be seen on the curves of InfoNCE, as the objective or as a term beside it.
 *
 * @module
 */
import type { Measures } from "./measures.ts";
import { count, short } from "./settings.ts";
import type { Symptom } from "./symptoms.ts";

/** Steps after the warm-up by which keys begin to be told apart, if they ever are. */
const PATIENCE = 300;

/** Keys below which all are told apart by next to nothing. */
const FEW_KEYS = 16;

/** Rows that the effective rank is of, at most; and the share of them below which features are poor. */
const ROWS = 64, POOR = 0.1;

/**
 * The loss stays at ln B, that of keys which are all alike; or has come back to it, which needs no patience.
 */
export function stuck(
  { contrastive, accuracy, keys, step, stepsPerEpoch = 0 }: Measures,
  warmupEpochs = 0,
): Symptom {
  const guess = Math.log(keys);
  if (!contrastive || !(contrastive.recent > 0.97 * guess)) return;
  const fell = contrastive.low.value < 0.9 * guess;
  if (step < (fell ? 100 : PATIENCE + warmupEpochs * stepsPerEpoch)) return;
  const { low } = contrastive;
  return [
    `the contrastive loss is ${short(contrastive.recent)} nats, after ${
      short(low.value)
    } at step ` +
    `${low.step}; guessing among ${count(keys)} keys has ln B = ${short(guess)}`,
    ...accuracy
      ? [
        `${percent(accuracy.recent)} of the queries find their key, by chance ${percent(1 / keys)}`,
      ]
      : [],
  ];
}

/**
 * Every key is told apart, by features of few dimensions: what all views of a picture share beside its content,
 * such as its mean colour, is enough for that.
 */
export function shortcut({ accuracy, rank, keys, batchSize, step }: Measures): Symptom {
  if (!accuracy || !rank || keys < FEW_KEYS || step < 100) return;
  const poor = POOR * Math.min(ROWS, 2 * (batchSize || keys));
  const recovers = rank.recent > 1.5 * rank.low.value;
  if (!(accuracy.recent > 0.98 && rank.recent < poor) || recovers) return;
  return [
    `${percent(accuracy.recent)} of the queries find their key among ${
      count(keys)
    }, yet the effective rank of ` +
    `the features is ${short(rank.recent)}: few dimensions are enough to tell the views apart`,
  ];
}

/** Whether keys are told apart: clearly below guessing, or where B is not known, below the start. */
export function tellsKeys({ contrastive, keys }: Measures): boolean {
  if (!contrastive) return false;
  return contrastive.recent < 0.9 * (Number.isNaN(keys) ? contrastive.from.value : Math.log(keys));
}

/** How far InfoNCE has come, in words. */
export function contrastText({ contrastive, accuracy, keys }: Measures): string[] {
  if (!contrastive) return [];
  const { recent, from } = contrastive;
  const share = Number.isNaN(keys) ? "" : ` (${short(recent / Math.log(keys))} ln B)`;
  const found = accuracy
    ? `; ${percent(accuracy.recent)} of the queries find their key` +
      (Number.isNaN(keys) ? "" : ` among ${count(keys)}`)
    : "";
  return [
    `the contrastive loss is ${short(recent)} nats${share}, after ${
      short(from.value)
    } at step ${from.step}${found}`,
  ];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
