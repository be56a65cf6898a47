/**
 * The verdict on a run from its files: the one that report, dashboard, doctor and the end of training tell.
 *
 * @module
 */
import { diagnose, type Diagnosis, type DiagnosisSettings, type Evaluation } from "../diagnosis.ts";
import { readoutsOf } from "../diagnosis/readouts.ts";
import { diagnosisSettingsOf } from "../from_config.ts";
import type { RunData } from "../run/data.ts";
import { shown } from "../text.ts";

/** What of a run the verdict rests on. */
export type Judged = Pick<
  RunData,
  "lines" | "config" | "parts" | "totalSteps" | "evaluations" | "figures" | "finished"
>;

/** What state a run is in. */
export function diagnosisOf(run: Judged): Diagnosis {
  return diagnose(run.lines, settingsOf(run), evaluationsOf(run));
}

/** What a diagnosis knows of the settings of a run. */
export function settingsOf({ config, totalSteps, parts }: Judged): DiagnosisSettings {
  const part = parts.at(-1), pictures = part?.data?.pictures;
  const known = config ? diagnosisSettingsOf(config, { totalSteps, pictures }) : { pictures };
  return { ...known, hosts: part?.ranks?.map(({ host }) => shown(host)) };
}

/**
 * The evaluations of a run: those while it trained, then that of its end. While it trained only the teacher was
 * measured after the first time; what is beside it does not change.
 */
export function evaluationsOf(
  { lines, evaluations, figures, finished }: Omit<Judged, "config" | "parts" | "totalSteps">,
): Evaluation[] {
  const models = new Set(
    readoutsOf(figures).flatMap(({ kind, encoder }) => kind === "model" ? [encoder] : []),
  );
  let beside: Evaluation["figures"] = figures.filter(({ encoder }) => !models.has(encoder));
  const all = evaluations.map(({ step, figures, baselines }): Evaluation => {
    if (baselines) beside = baselines;
    return { step, figures: [...figures, ...beside] };
  });
  if (!models.size || !finished && all.length) return all;
  return [...all, { step: lines.at(-1)?.step ?? 0, figures, final: finished }];
}
