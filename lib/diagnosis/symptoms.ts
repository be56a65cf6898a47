/**
 * What may be seen on the curves of a run that goes wrong. Every threshold means something by itself;
 * none was fitted to a run.
 *
 * @module
 */
import { turns } from "./curves.ts";
import type { Measures } from "./measures.ts";
import { count, type DiagnosisSettings, short } from "./settings.ts";

/** Evidence for one thing, in sentences with numbers and steps; undefined when it is not there. */
export type Symptom = string[] | undefined;

/** Prototypes in use below which a batch says nothing, as long as it holds many more pictures. */
const FEW_PROTOTYPES = 3;

/**
 * One peak: whatever the picture, a few prototypes get everything. The entropy of the mean is the
 * logarithm of the number of prototypes in use; it is held against a batch of B pictures, which could use B.
 */
export function onePeak({ entropy, ofMean, batchSize, lnK }: Measures): Symptom {
  if (!entropy || !ofMean) return;
  const few = Math.min(FEW_PROTOTYPES, Math.sqrt(Math.min(batchSize, Math.exp(lnK))));
  const used = Math.exp(ofMean.recent);
  if (!(used < few)) return;
  return [
    `the mean of the teacher's distributions has an entropy of ${short(ofMean.recent)} nats ` +
    `(${short(ofMean.high.value)} at step ${ofMean.high.step}): of ${count(Math.exp(lnK))} ` +
    `prototypes a batch of ${count(batchSize)} pictures uses ${used.toFixed(1)}`,
    `the teacher's own entropy is ${short(entropy.recent)}`,
  ];
}

/**
 * Uniform: the teacher's distributions are flat and do not tell pictures apart. A healthy run may start
 * like that, so it counts when the run had told them apart before, or when it had the time to learn to;
 * or, `supported` by a setting that leads there, when the loss has not come below that of guessing.
 */
export function uniform(m: Measures, settings: DiagnosisSettings, supported: boolean): Symptom {
  const { entropy, information, kl, loss, lnK, most, step, stepsPerEpoch = 1000 } = m;
  if (!entropy || !information || !kl || !loss) return;
  const share = information.recent / most;
  const flat = entropy.recent / lnK;
  const fell = information.high.value > 0.05 * most &&
    information.recent < 0.5 * information.high.value;
  const { warmupEpochs = 0, freezeLastLayer = 0 } = settings;
  const grace = Math.max(500, stepsPerEpoch * Math.max(1, warmupEpochs, freezeLastLayer));
  const plain = flat > 0.97 && share < 0.03 && kl.recent < 0.05 * lnK && (fell || step > grace);
  const likely = supported && step >= 100 && flat > 0.9 && share < 0.15 && loss.recent > 0.95 * lnK;
  if (!plain && !likely) return;
  return [
    `the teacher's entropy is ${percent(flat)} of ln K = ${short(lnK)}, that of no opinion`,
    `its answers hold ${short(information.recent)} nats about the picture, of ${
      short(most)
    } that ` +
    `a batch could show (${short(information.high.value)} at step ${information.high.step})`,
    `the loss is ${
      short(loss.recent / lnK)
    } ln K, where guessing has 1, and KL(teacher ‖ student) is ` +
    `${short(kl.recent)} (${short(kl.high.value)} at step ${kl.high.step})`,
  ];
}

/** The same answer for all pictures, neither sharp nor flat. */
export function sameAnswer(
  { entropy, ofMean, information, most, lnK, batchSize }: Measures,
): Symptom {
  if (!entropy || !ofMean || !information || batchSize < 2) return;
  if (!(information.recent < 0.01 * most)) return;
  return [
    `the entropy of the mean teacher, ${short(ofMean.recent)}, is that of a single answer, ` +
    `${short(entropy.recent)} (ln K is ${short(lnK)}): every picture gets the same answer`,
  ];
}

/**
 * Features that shrink to a line or a point: the rank above 1, or the spread, falls below a quarter of what
 * it was. A rank may fall while training starts, so one that is not near 1 counts after the first epoch only.
 */
export function lowRank({ rank, std, step, stepsPerEpoch = Infinity }: Measures): Symptom {
  if (!rank || !std) return;
  const rankFell = rank.recent - 1 < (rank.high.value - 1) / 4;
  const stdFell = std.recent < std.high.value / 4;
  if (!(stdFell || rankFell && (rank.recent < 2 || step > stepsPerEpoch))) return;
  return [
    `the effective rank of the teacher's features is ${short(rank.recent)} ` +
    `(${short(rank.high.value)} at step ${rank.high.step})`,
    `their spread is ${short(std.recent)} (${short(std.high.value)} at step ${std.high.step}; ` +
    "0 is the same features for all pictures)",
  ];
}

/** The loss climbs from where it was to well above that of guessing. */
export function diverging({ loss, gradient, lnK }: Measures): Symptom {
  if (!loss || loss.recent < 1.2 * lnK || loss.recent < loss.low.value + 0.4 * lnK) return;
  const evidence = [
    `the loss is ${short(loss.recent / lnK)} ln K, where guessing has 1, after ` +
    `${short(loss.low.value / lnK)} at step ${loss.low.step}`,
  ];
  if (gradient && gradient.recent > 10 * gradient.low.value) {
    evidence.push(
      `the norm of the gradient is ${short(gradient.recent)} ` +
        `(${short(gradient.low.value)} at step ${gradient.low.step})`,
    );
  }
  return evidence;
}

/** The teacher is thrown between sharp and flat, which no slow approach to a collapse does. */
export function swinging({ entropy, lnK }: Measures): Symptom {
  if (!entropy || turns(entropy, 0.3 * lnK) < 3) return;
  const { low, high } = entropy;
  return [
    `the teacher's entropy swings between ${
      percent(low.value / lnK)
    } of ln K (step ${low.step}) and ` +
    `${percent(high.value / lnK)} (step ${high.step})`,
  ];
}

/** A share in whole percent, or in more digits near its ends. */
function percent(share: number): string {
  const value = 100 * share;
  return `${value < 1 || value > 99 && value < 100 ? value.toFixed(1) : value.toFixed(0)} %`;
}
