/**
 * How good a model's features are, in a sentence for those who use them: from the last evaluation of its run.
 *
 * @module
 */
import { type EvaluationFigure, weigh, worthLine } from "../diagnosis.ts";
import { evaluationsOf, settingsOf } from "../from_config/verdict.ts";
import { isNetworkName } from "../eval/readout.ts";
import { Faults } from "../run/faults.ts";
import { RunFiles } from "../run/files.ts";
import { readJudged, readSetup } from "../run/read.ts";
import { count, many } from "../words.ts";
import type { LoadedModel } from "./load.ts";

/**
 * What is known of some features: on how many pictures of what they were measured, and how they stood beside raw
 * pixels; or how to measure them.
 *
 * @param readout What of the model is in use, in the words of an evaluation: "grid", "class, last 4 blocks".
 */
export async function qualityOf(
  { folder, name, file }: Pick<LoadedModel, "folder" | "name" | "file">,
  readout: string,
): Promise<string> {
  const unknown = `How good these features (${readout}) are was not measured: ` +
    `deno task evaluate ${folder ?? file} measures them.`;
  if (folder === undefined) return unknown;
  const files = new RunFiles(folder, new Faults());
  const run = { lines: [], ...await readSetup(files), ...await readJudged(files, [], {}) };
  const settings = settingsOf(run);
  const worthOf = (figures: readonly EvaluationFigure[], of: string) =>
    weigh(figures, { pictures: settings.pictures, only: { of, readout } });
  let worth = worthOf(run.figures, name),
    when = isNetworkName(name) ? "at the end of training" : "";
  const step = Number(name.match(/^(?:teacher|student) at step (\d+)$/)?.[1]);
  if (!worth && step >= 0) {
    const then = evaluationsOf(run).find((evaluation) => evaluation.step === step);
    worth = then && worthOf(then.figures, name.split(" ")[0]);
    when = `at step ${count(step)}`;
  }
  if (!worth) return unknown;
  const pictures = settings.pictures ? many(settings.pictures, "picture") : "the pictures";
  const { name: data } = run.parts.at(-1)?.data ?? {};
  const on = [`on ${pictures} of ${data ?? "the run"}`, when].filter(Boolean).join(" ");
  return `How good these features (${readout}) are, measured ${on}: ${worthLine(worth)}.`;
}
