/**
 * What may be seen on the curves of a run that goes wrong. Thresholds are shares of what is possible (ln K,
 * the pictures of a batch, what the run had before), far from both the sound and the sick recordings in
 * tests/diagnosis.
 *
 * @module
 */
import { turns } from "./curves.ts";
import type { Measures } from "./measures.ts";
import { count, type DiagnosisSettings, short } from "./settings.ts";

/** Evidence for one thing, in sentences with numbers and steps; undefined when it is not there. */
export type Symptom = string[] | undefined;

/** Steps that a start may take, however short an epoch is. */
const LONG = 500;

/** Prototypes in use in a batch below which it says nothing, as long as it holds many more pictures. */
const FEW_PROTOTYPES = 3;

/**
 * One peak: whatever the picture, a few prototypes get everything. The entropy of the mean is the logarithm
 * of the number of prototypes in use; it is held against a batch of B pictures, which could use B.
 *
 * At the start all logits have a part in common, and one prototype may lead until the centre has followed it.
 * So it counts at once only when more prototypes had been in use; else when it has lasted for 100 steps and
 * three times the centre's 1 / (1 − momentum), unless that is too slow to ever help (`supported`).
 */
export function onePeak(
  { entropy, ofMean, batchSize, lnK, step }: Measures,
  { centerMomentum = 0.9 }: DiagnosisSettings,
  supported: boolean,
): Symptom {
  if (!entropy || !ofMean) return;
  const few = Math.log(Math.min(FEW_PROTOTYPES, Math.sqrt(Math.min(batchSize, Math.exp(lnK)))));
  if (!(ofMean.recent < few)) return;
  const fell = ofMean.high.value > few && ofMean.recent < ofMean.high.value / 2;
  const wait = Math.max(100, supported ? 0 : 3 / (1 - centerMomentum));
  const since = ofMean.points.findLast(({ value }) => value >= few)?.step ?? 0;
  if (!fell && step - since < wait) return;
  return [
    `the mean of the teacher's distributions has an entropy of ${short(ofMean.recent)} nats ` +
    `(${short(ofMean.high.value)} at step ${ofMean.high.step}): of ${count(Math.exp(lnK))} ` +
    `prototypes a batch of ${count(batchSize)} pictures uses ${Math.exp(ofMean.recent).toFixed(1)}`,
    `the teacher's own entropy is ${short(entropy.recent)}`,
  ];
}

/**
 * Uniform: the teacher's distributions are flat and do not tell pictures apart.
 *
 * A healthy run may start near that. So it counts at once only when pictures had been told apart before and
 * nothing of it is left (`dead`); else when the last layer has been trained for an epoch and, unless they had
 * been told apart, the warm-up is over (`due`). `supported` by a setting that leads there, it is enough that
 * the loss has not come below that of guessing.
 */
export function uniform(m: Measures, settings: DiagnosisSettings, supported: boolean): Symptom {
  const { entropy, information, kl, loss, lnK, most, step, stepsPerEpoch = 1000 } = m;
  if (!entropy || !information || !kl || !loss || step < 100) return;
  const told = information.recent / most;
  const sharp = 1 - entropy.recent / lnK;
  const before = information.high.value / most;
  const fell = before > 0.05 && told < before / 2;
  const { warmupEpochs = 0, freezeLastLayer = 0 } = settings;
  const epochs = Math.max(fell ? 0 : warmupEpochs, freezeLastLayer + 1);
  const due = step >= Math.max(LONG, epochs * stepsPerEpoch);
  const below = (share: number) => sharp < share && told < share && kl.recent < share * lnK;
  const dead = fell && below(0.0003);
  const likely = supported && sharp < 0.1 && told < 0.15 && loss.recent > 0.95 * lnK;
  if (!dead && !(due && below(0.03)) && !likely) return;
  const [of, far] = [short(loss.recent / lnK), short(kl.recent)];
  return [
    `the teacher's entropy is ${percent(1 - sharp)} of ln K = ${short(lnK)}, that of no opinion`,
    `${apart(m)}, after ${short(information.high.value)} at step ${information.high.step}`,
    `the loss is ${of} ln K, where guessing has 1, and KL(teacher ‖ student) is ${far}, after ` +
    `${short(kl.high.value)} at step ${kl.high.step}`,
  ];
}

/**
 * The same answer for all pictures, neither sharp nor flat, where they had been told apart before. At the
 * start that is the common part of all logits, until the centre has followed it: twice 1 / (1 − momentum).
 */
export function sameAnswer(
  { entropy, ofMean, information, most, lnK, step }: Measures,
  { centerMomentum = 0.9 }: DiagnosisSettings,
): Symptom {
  if (!entropy || !ofMean || !information || entropy.recent > 0.97 * lnK) return;
  if (step < Math.max(100, 2 / (1 - centerMomentum))) return;
  const fell = information.high.value > 0.05 * most && information.recent < 0.01 * most;
  if (!fell) return;
  return [
    `the entropy of the mean teacher, ${short(ofMean.recent)}, is that of a single answer, ` +
    `${short(entropy.recent)} (ln K is ${short(lnK)}): every picture gets the same answer`,
  ];
}

/**
 * Features that shrink to a line or a point: the rank above 1, or the spread, falls below a quarter of what
 * it was, and the rank does not recover. It may fall while training starts, so one that is not near 1 counts
 * after the first epoch and {@linkcode LONG} steps only, unless it is `supported` by a setting that leads
 * there.
 */
export function lowRank(
  { rank, std, step, stepsPerEpoch = 1000 }: Measures,
  supported: boolean,
): Symptom {
  if (!rank || !std) return;
  const fell = rank.recent - 1 < (rank.high.value - 1) / 4 || std.recent < std.high.value / 4;
  const recovers = rank.recent > 1.5 * rank.low.value;
  const counts = supported || rank.recent < 2 || step > Math.max(LONG, stepsPerEpoch);
  if (!fell || recovers || !counts) return;
  return [
    `the effective rank of the teacher's features is ${short(rank.recent)} ` +
    `(${short(rank.high.value)} at step ${rank.high.step})`,
    `their spread is ${short(std.recent)} (${short(std.high.value)} at step ${std.high.step}; ` +
    "0 is the same features for all pictures)",
  ];
}

/**
 * The loss climbs from where it was to well above that of guessing; or, `supported` by a setting that leads
 * there, by a third of it from its lowest. It also climbs at the start, while the centre follows the
 * teacher, which then gives up its first, sharp answers: so not what it was in the first steps.
 */
export function climbing(
  { loss, gradient, guess, guessName }: Measures,
  supported: boolean,
): Symptom {
  const later = loss?.points.filter(({ step }) => step >= (supported ? 50 : 100)) ?? [];
  if (!loss || !later.length) return;
  const low = later.reduce((least, point) => point.value < least.value ? point : least);
  const climbed = loss.recent - low.value;
  const away = loss.recent > 1.2 * guess && climbed > 0.4 * guess;
  if (!away && !(supported && climbed > guess / 3)) return;
  const [from, to] = [short(low.value / guess), short(loss.recent / guess)];
  const evidence = [
    `the loss has climbed from ${from} ${guessName} at step ${low.step} to ${to}, where guessing has 1`,
  ];
  if (gradient && gradient.recent > 10 * gradient.low.value) {
    const { value, step } = gradient.low;
    evidence.push(
      `the norm of the gradient has grown from ${short(value)} at step ${step} to ` +
        `${short(gradient.recent)}`,
    );
  }
  return evidence;
}

/**
 * The teacher is thrown between sharp and flat, which no slow approach to a collapse does: three turns by a
 * third of ln K, or two where `supported` by a setting that leads there.
 */
export function swinging({ entropy, lnK }: Measures, supported: boolean): Symptom {
  if (!entropy) return;
  const times = turns(entropy, lnK / 3);
  if (times < (supported ? 2 : 3)) return;
  const least = percent(Math.min(...entropy.fine) / lnK);
  const most = percent(Math.max(...entropy.fine) / lnK);
  return [
    `the teacher's entropy swings between ${least} and ${most} of ln K: it has turned ${times} times`,
  ];
}

/** How well the teacher tells pictures apart, in words. */
export function apart({ information, most, batchSize }: Measures): string {
  const [held, all] = [short(information?.recent ?? 0), short(most)];
  return `its answers hold ${held} nats about the picture, where ${all} would tell all ` +
    `${count(batchSize)} of a batch apart`;
}

/** A share in whole percent, or in more digits near its ends. */
function percent(share: number): string {
  const value = 100 * share;
  return `${value < 1 || value > 99 && value < 100 ? value.toFixed(1) : value.toFixed(0)} %`;
}
