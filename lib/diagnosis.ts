/**
 * The state of a training run in words: what its curves show, what its features are worth, and what to change first.
 *
 * @example
 * ```ts
 * import { diagnose, parseMetrics } from "@hatchling/hatchling/diagnosis";
 *
 * const { lines } = parseMetrics('{"step":10,"loss":6.9}\n{"step":20,"loss":6.8}\n');
 * console.log(diagnose(lines).verdict); // too early to tell
 * ```
 *
 * @module
 */
import { type Held, held, HOLD, looksOf } from "./diagnosis/held.ts";
import type { MetricLine } from "./diagnosis/lines.ts";
import { type Look, lookAt, SURE_STEPS } from "./diagnosis/look.ts";
import type { EvaluationFigure } from "./diagnosis/readouts.ts";
import { type SlowRank, slowRank } from "./diagnosis/ranks.ts";
import { againstUseless } from "./diagnosis/remedies.ts";
import { count, type DiagnosisSettings } from "./diagnosis/settings.ts";
import { early, type Tone, type Verdict } from "./diagnosis/verdicts.ts";
import { weigh, type Worth } from "./diagnosis/worth.ts";

export { type MetricKey, type MetricLine, parseMetricLine } from "./diagnosis/lines.ts";
export { MetricsReader, type ParsedMetrics, parseMetrics } from "./diagnosis/metrics.ts";
export type { SlowRank } from "./diagnosis/ranks.ts";
export type { EvaluationFigure, OneReadout } from "./diagnosis/readouts.ts";
export type { DiagnosisSettings } from "./diagnosis/settings.ts";
export type { Tone, Verdict } from "./diagnosis/verdicts.ts";
export { weigh, type Worth, worthLine, type WorthVerdict } from "./diagnosis/worth.ts";

/**
 * The state of a run in words.
 *
 * @category Training
 */
export interface Diagnosis {
  /** The state. */
  verdict: Verdict;
  /** How it is to be shown. Good only where an evaluation says so. */
  tone: Tone;
  /** The curves go wrong, or the run has ended with features that are not useful. */
  trouble: boolean;
  /** What the verdict rests on: sentences with numbers and steps. */
  evidence: string[];
  /** What to change first, or what helps; "" where nothing needs to. */
  remedy: string;
  /** Settings that are risky whatever the curves say; never trouble by themselves. */
  risks: string[];
  /** Of several ranks the one that all others wait for, where one is slow; never trouble by itself. */
  slowRank?: SlowRank;
  /** The steps of the curves that its figures are medians over, where there are any. */
  steps?: [from: number, to: number];
  /** What the features are worth, where they were measured. */
  worth?: Worth;
}

/** An evaluation of a run. */
export interface Evaluation {
  /** Steps that were done. */
  step: number;
  /** Its figures, those of raw pixels and of the untrained model among them. */
  figures: readonly EvaluationFigure[];
  /** Whether it is of the end of training: it counts whatever was measured before. */
  final?: boolean;
}

/**
 * Tells what state a run is in.
 *
 * The evidence is in the curves: the entropy of the mean teacher falls to that of one prototype (collapse to
 * one peak, or to a few); the teacher's entropy rises to ln K and its answers no longer depend on the picture
 * (collapse to uniform; both in Caron et al. 2021, arXiv:2104.14294, section 5.3); the RankMe of its features
 * falls (Garrido et al. 2023, arXiv:2210.02885); InfoNCE stays at ln B, or is solved by features of few
 * dimensions. Any of these with steps as large as the weights, or with an entropy that swings from end to end, is
 * a learning rate too high. Settings choose between explanations and remedies, and never make trouble; but with a
 * risky one it is too early to call a run sound before step 500. And it is in the evaluations: curves alone never
 * make a run healthy, and whatever they say, features that are no better than raw pixels are not useful yet.
 *
 * Curves are looked at every 10 steps, of longer runs every hundredth of the steps and at most every 100. The
 * newest tenth of the lines up to there counts, at least 5, by its median; lines without a key are left out for it.
 * Where several ranks train, one that takes 1.3 times as long as the others is named, by the same looks.
 * What looks say is the state once it has held for five of them in a row over 50 to 500 steps, so no state follows
 * another one sooner; NaN counts at once. An evaluation while the run trains changes the answer of the one before
 * when the next one agrees, 50 steps later at least.
 *
 * Pure: the same lines, settings and evaluations give the same words, while a run goes on as from its files.
 *
 * @param lines Logged steps in order, as of {@linkcode parseMetrics}.
 * @param settings What is known of the run's settings.
 * @param evaluations Evaluations of the run, in order.
 *
 * @example
 * ```ts
 * import { diagnose } from "@hatchling/hatchling/diagnosis";
 *
 * const lines = Array.from({ length: 20 }, (_, i) => ({
 *   step: 10 * (i + 1),
 *   loss: 4 / (i + 1) ** 2,
 *   teacher_entropy: 3 / (i + 1) ** 2,
 *   teacher_entropy_of_mean: 3.5 / (i + 1) ** 2,
 * }));
 * const { verdict, evidence, remedy } = diagnose(lines, { outDim: 1024, batchSize: 32 });
 * console.log(verdict); // collapse to one peak
 * console.log(evidence.join("\n"), remedy);
 * ```
 *
 * @category Training
 */
export function diagnose(
  lines: readonly MetricLine[],
  settings: DiagnosisSettings = {},
  evaluations: readonly Evaluation[] = [],
): Diagnosis {
  const curves = stateOf(lines, settings);
  const { worth, final = false, more } = worthOf(evaluations, settings);
  const { verdict, evidence, remedy, risks, steps: recent } = curves;
  const slow = slowRank(lines, settings);
  const measured = worth ? [worth.text, worth.more, worth.configured, ...more].filter(Boolean) : [];
  const made = (
    verdict: Verdict,
    tone: Tone,
    evidence: string[],
    remedy: string,
  ): Diagnosis => {
    const trouble = tone === "trouble";
    return {
      verdict,
      tone,
      trouble,
      evidence,
      remedy,
      risks,
      slowRank: slow,
      steps: recent,
      worth,
    };
  };
  if (curves.trouble) return made(verdict, "trouble", [...evidence, ...measured], remedy);
  const isEarly = verdict === "too early to tell";
  const steps = lines.at(-1)?.step ?? 0;
  if (worth?.verdict === "not useful yet" && (final || !isEarly || steps >= SURE_STEPS)) {
    const tone = final ? "trouble" : "caution";
    return made(worth.verdict, tone, [...measured, ...evidence], againstUseless(settings, worth));
  }
  if (isEarly && (steps < SURE_STEPS || !worth || worth.verdict === "not compared")) {
    return made(verdict, "neutral", [...evidence, ...measured], "");
  }
  if (worth?.verdict === "useful in part") {
    const remedy = againstUseless(settings, worth);
    return made(worth.verdict, "caution", [...measured, ...evidence], remedy);
  }
  if (worth?.verdict === "useful") return made("healthy", "good", [...measured, ...evidence], "");
  const unknown = worth ? measured : ["what the features are worth has not been measured yet"];
  return made("learning", "neutral", [...evidence, ...unknown], "");
}

/**
 * What stands before a remedy.
 *
 * @category Training
 */
export function remedyTitle({ verdict }: Pick<Diagnosis, "verdict">): string {
  return WEIGHED.includes(verdict) ? "what helps" : "what to change first";
}

/** Verdicts that an evaluation makes of features that lack something. */
const WEIGHED: Verdict[] = ["not useful yet", "useful in part"];

/**
 * A diagnosis in one line.
 *
 * @category Training
 */
export function diagnosisLine(diagnosis: Diagnosis): string {
  const { verdict, evidence: [first], remedy, slowRank, worth } = diagnosis;
  return [
    `${verdict}: ${first}`,
    WEIGHED.includes(verdict) && worth?.configured,
    remedy && `${remedyTitle(diagnosis)}: ${remedy}`,
    slowRank?.evidence,
  ].filter(Boolean).join("; ");
}

/**
 * What features are worth, in one line with what helps, as a diagnosis says it of a run.
 *
 * @category Evaluation
 */
export function worthVerdict(worth: Worth, settings: DiagnosisSettings = {}): string {
  const { verdict, text, configured } = worth;
  return [
    verdict === "not compared" ? text : `${verdict}: ${text}`,
    configured,
    WEIGHED.some((one) => one === verdict) && `what helps: ${againstUseless(settings, worth)}`,
  ].filter(Boolean).join("; ");
}

/** The state of the curves that has held, with what newer looks say. */
function stateOf(lines: readonly MetricLine[], settings: DiagnosisSettings): Look {
  const last = lines.at(-1);
  if (!last) return { ...early("no step has been logged yet"), risks: [] };
  if (last.non_finite !== undefined) return lookAt(lines, settings);
  const sound = lines.filter(({ non_finite }) => non_finite === undefined);
  const looks = looksOf(sound);
  const { holds, next, since }: Held<Look> = held(
    looks.map((i) => sound[i]),
    (i) => lookAt(sound.slice(0, looks[i] + 1), settings),
    HOLD,
  );
  if (holds && !next) return holds;
  const { risks, steps } = next!;
  const isEarly = next!.verdict === "too early to tell";
  if (!holds && isEarly) {
    const now = lookAt(sound, settings);
    return now.verdict === next!.verdict ? now : next!;
  }
  const coming = `since step ${count(since!)} the curves look like this: ${next!.verdict}` +
    (next!.trouble ? ` (${next!.evidence[0]})` : "") + "; it counts once it has held";
  if (!holds) return { ...early(coming), risks, steps };
  return { ...holds, evidence: [...holds.evidence, ...isEarly ? [] : [coming]], risks };
}

/** How long an evaluation's answer has to hold to take another one's place. */
const EVALUATIONS = { looks: 2, steps: () => 50 };

/** What the features are worth: by the evaluation at the end, else as evaluations agree. */
function worthOf(
  evaluations: readonly Evaluation[],
  settings: DiagnosisSettings,
): { worth?: Worth; final?: boolean; more: string[] } {
  const known = evaluations.flatMap((evaluation) => {
    const worth = weigh(evaluation.figures, settings);
    return worth ? [{ ...evaluation, worth }] : [];
  });
  const last = known.at(-1);
  if (!last) return { more: [] };
  if (last.final) return { worth: last.worth, final: true, more: [] };
  const { holds, next } = held(known, (i) => known[i].worth, EVALUATIONS);
  const { verdict } = holds ?? known[0].worth;
  const { step, worth } = known.findLast((one) => one.worth.verdict === verdict)!;
  const more = [`measured at step ${count(step)}`];
  if (next && next.verdict !== verdict) {
    more.push(`the evaluation at step ${count(last.step)} says ${next.verdict}: ${next.text}`);
  }
  return { worth, more };
}
