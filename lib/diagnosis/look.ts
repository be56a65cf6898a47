/**
 * One look at the curves of a run: what they show at their last line, without memory of earlier looks.
 *
 * @module
 */
import { contrastText, shortcut, stuck, tellsKeys } from "./contrast.ts";
import { numberOf, recentLines } from "./curves.ts";
import type { MetricLine } from "./lines.ts";
import { measure, type Measures } from "./measures.ts";
import { alikePatches, patchText } from "./patches.ts";
import {
  againstAlikePatches,
  againstLargeSteps,
  againstLowRank,
  againstNonFinite,
  againstOnePeak,
  againstShortcut,
  againstStuck,
  againstUniform,
} from "./remedies.ts";
import { type DiagnosisSettings, type Risk, short } from "./settings.ts";
import {
  apart,
  climbing,
  lowRank,
  onePeak,
  sameAnswer,
  swinging,
  type Symptom,
  uniform,
} from "./symptoms.ts";
import { early, type Found, type Verdict } from "./verdicts.ts";

/** Lines and steps before which nothing is said: medians need the former, the centre some of the latter. */
const FEWEST_LINES = 5, FEWEST_STEPS = 50;

/** Steps before which no run with a risky setting is called sound: what it leads to may take as many. */
export const SURE_STEPS = 500;

/** Most lines that are looked at: of longer runs the newest, and evenly spread ones of the rest. */
const MOST_LINES = 200, NEWEST = 50;

/** What a look finds. */
export interface Look extends Found {
  /** Settings that are risky whatever the curves say. */
  risks: string[];
  /** The first and the last step that counted as recent, where there is one. */
  steps?: [from: number, to: number];
}

/** What the curves show at the last of some lines, of which there is at least one. */
export function lookAt(lines: readonly MetricLine[], settings: DiagnosisSettings): Look {
  const last = lines.at(-1)!;
  const numbers = thin(finite(lines));
  let lr = 0;
  for (const line of lines) lr = Math.max(lr, numberOf(line, "lr") ?? 0);
  const m = measure(numbers.length ? numbers : lines, settings, lr);
  const found = last.non_finite !== undefined
    ? notFinite(last, m, settings, lr)
    : last.step < FEWEST_STEPS || numbers.length < FEWEST_LINES
    ? early(
      `${last.step} steps in ${numbers.length} lines: a verdict needs ${FEWEST_STEPS} steps and ` +
        `${FEWEST_LINES} lines`,
    )
    : trouble(m, settings, lr) ?? sound(m);
  const recent = recentLines(numbers);
  return {
    ...found,
    risks: m.risks.map(({ text }) => text),
    steps: recent.length ? [recent[0].step, recent.at(-1)!.step] : undefined,
  };
}

function notFinite(line: MetricLine, m: Measures, settings: DiagnosisSettings, lr: number): Found {
  const evidence = [`NaN or infinity in ${line.non_finite} at step ${line.step}`];
  if (line.first_non_finite) evidence.push(`the first was in ${line.first_non_finite}`);
  const large = m.risks.find(({ key }) => key === "optimizer.lr");
  evidence.push(...climbing(m, !!large) ?? [], ...swinging(m, !!large) ?? []);
  if (large) evidence.push(large.text);
  const remedy = large ? againstLargeSteps(lr, settings) : againstNonFinite();
  return { verdict: "not finite", trouble: true, evidence, remedy };
}

/** The first of all troubles that the curves show. */
function trouble(m: Measures, settings: DiagnosisSettings, lr: number): Found | undefined {
  const risk = (key: Risk["key"]) => m.risks.find((r) => r.key === key);
  const large = risk("optimizer.lr");
  const center = risk("loss.centering") ?? risk("loss.center_momentum");
  const peak = onePeak(m, settings, !!center);
  const flat = uniform(m, settings, !!(large ?? risk("loss.teacher_temp")));
  const same = sameAnswer(m, settings);
  const thin = lowRank(m, !!large);
  const alike = stuck(m, settings.warmupEpochs);
  const climbs = climbing(m, !!large);
  const swings = swinging(m, !!large);
  const collapsed = peak ?? flat ?? same;
  const make = (verdict: Verdict, remedy: string, ...evidence: Symptom[]): Found => ({
    verdict,
    trouble: true,
    evidence: evidence.flatMap((sentences) => sentences ?? []),
    remedy,
  });
  const unstable = climbs ??
    (large ? swings ?? collapsed ?? thin ?? alike : collapsed && thin && swings);
  if (unstable) {
    const steps = large ? [large.text] : [];
    const all = [climbs, swings, collapsed, thin, alike, steps];
    return make("learning rate too high", againstLargeSteps(lr, settings), ...all);
  }
  if (peak) return make("collapse to one peak", againstOnePeak(risk, settings), peak, thin);
  if (flat) return make("collapse to uniform", againstUniform(risk, settings), flat, thin);
  if (same || thin) {
    return make("falling feature rank", againstLowRank(settings), same, thin, alike);
  }
  if (alike) return make("contrastive loss stuck", againstStuck(lr, settings), alike);
  const cheap = shortcut(m);
  if (cheap) return make("shortcut", againstShortcut(), cheap);
  const patches = alikePatches(m, settings);
  if (patches) return make("collapse of patches", againstAlikePatches(settings), patches);
}

/** Nothing is wrong: it learns once its loss is below that of guessing and pictures are told apart. */
function sound(m: Measures): Found {
  const { step, loss, ofMean, information, rank, guess, guessName, most } = m;
  if (!loss) return early("the lines hold no loss: there is nothing to judge");
  const nats = (value: number) =>
    `${short(value)} nats` +
    (Number.isNaN(guess) ? "" : ` (${short(value / guess)} ${guessName})`);
  const { from } = loss;
  const evidence = [
    `the loss is ${nats(loss.recent)}, after ${nats(from.value)} at step ${from.step}`,
  ];
  if (ofMean) {
    const used = short(Math.exp(ofMean.recent));
    evidence.push(`the teacher uses ${used} prototypes in a batch; ${apart(m)}`);
  }
  evidence.push(...contrastText(m), ...patchText(m));
  if (rank) {
    const { recent, high } = rank;
    evidence.push(
      `the effective rank of its features is ${short(recent)}, at most ${short(high.value)} ` +
        `at step ${high.step}`,
    );
  }
  const answers = loss.recent < 0.97 * guess && information && information.recent > 0.05 * most;
  if (step < 2 * FEWEST_STEPS || !answers && !tellsKeys(m)) {
    return early("no sign of trouble, but none yet of learning either", ...evidence);
  }
  if (m.risks.length && step < SURE_STEPS) {
    return early(
      `no sign of trouble yet, but the settings below are risky, and ${step} steps are fewer than ${SURE_STEPS}`,
      ...evidence,
    );
  }
  return { verdict: "learning", trouble: false, evidence, remedy: "" };
}

/** The lines that hold numbers. */
function finite(lines: readonly MetricLine[]): readonly MetricLine[] {
  const sound = (line: MetricLine) => line.non_finite === undefined;
  return lines.every(sound) ? lines : lines.filter(sound);
}

function thin(lines: readonly MetricLine[]): readonly MetricLine[] {
  if (lines.length <= MOST_LINES) return lines;
  const old = lines.slice(0, -NEWEST);
  const stride = old.length / (MOST_LINES - NEWEST);
  const kept = Array.from({ length: MOST_LINES - NEWEST }, (_, i) => old[Math.floor(i * stride)]);
  return [...kept, ...lines.slice(-NEWEST)];
}
