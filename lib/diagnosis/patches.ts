/**
 * What may be seen on the curves of masked patches (iBOT), beside DINO's own.
 *
 * @module
 */
import type { Measures } from "./measures.ts";
import { type DiagnosisSettings, short } from "./settings.ts";
import type { Symptom } from "./symptoms.ts";

/** Steps that a start may take. */
const LONG = 500;

/** Shares of ln K: answers that tell nothing of a patch, and that told something. */
const NOTHING = 0.003, SOMETHING = 0.03;

/**
 * The teacher gives all masked patches the same answer, sharp or flat: they had been told apart before, or a start has
 * had its time.
 */
export function alikePatches(
  { patchInformation: told, patchLoss, lnK, step, stepsPerEpoch = 1000 }: Measures,
  { warmupEpochs = 0 }: DiagnosisSettings,
): Symptom {
  if (!told || !patchLoss || !(told.recent < NOTHING * lnK) || step < 100) return;
  const fell = told.high.value > SOMETHING * lnK;
  if (!fell && step < Math.max(LONG, (1 + warmupEpochs) * stepsPerEpoch)) return;
  return [
    `the teacher's answers for masked patches hold ${
      short(told.recent)
    } nats about the patch, after ` +
    `${short(told.high.value)} at step ${told.high.step}: all patches get the same answer`,
    `the loss of masked patches is ${short(patchLoss.recent)} nats (${
      short(patchLoss.recent / lnK)
    } ln K)`,
  ];
}

/** How far masked patches have come, in words. */
export function patchText({ patchInformation: told, patchLoss, lnK }: Measures): string[] {
  if (!told || !patchLoss) return [];
  const { recent, from } = patchLoss;
  return [
    `the loss of masked patches is ${short(recent)} nats (${short(recent / lnK)} ln K), after ${
      short(from.value)
    } at step ${from.step}; the teacher's answers hold ${short(told.recent)} nats about the patch`,
  ];
}
