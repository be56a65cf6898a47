/**
 * What state a run is in, from its folder alone.
 *
 * @module
 */
import { dirname } from "node:path";
import { type Diagnosis, type MetricLine, remedyTitle } from "../../lib/diagnosis.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { shown } from "../../lib/text.ts";
import { Faults } from "../../lib/run/faults.ts";
import { isMissing, READING_MS, RunFiles, within } from "../../lib/run/files.ts";
import { suggestion } from "../../lib/run/find.ts";
import { readJudged, readMetrics, readSetup } from "../../lib/run/read.ts";
import { print, say } from "../common/terminal.ts";
import { diagnosisOf } from "../../lib/from_config/verdict.ts";

/**
 * Reads metrics, evaluations, config.yaml and run.json of a run and prints the diagnosis.
 *
 * @param run The folder of the run, or a file in it.
 * @returns True when the run is in trouble.
 * @throws {HatchlingError} When the folder holds no run, or nothing of its metrics can be read.
 */
export async function examineRun(run: string): Promise<boolean> {
  const isFile = await Deno.stat(run).then((stat) => !stat.isDirectory, () => false);
  const folder = isFile ? dirname(run) : run;
  const faults = new Faults(), files = new RunFiles(folder, faults);
  const { lines, torn } = await within(READING_MS, folder, readMetrics(files)).catch(
    async (error) => {
      if (!isMissing(error)) throw error;
      const path = shown(files.path("metrics.jsonl"));
      const instead = await suggestion(folder);
      throw new HatchlingError(
        `Expected the folder of a run but ${path} does not exist: ${instead}`,
      );
    },
  );
  if (torn) faults.add("the last line of metrics.jsonl has no end and is left out");
  const setup = await within(READING_MS, folder, readSetup(files)), { why } = setup;
  if (why) faults.add(`the settings of the run are not known, only its curves: ${why}`);
  const judged = await within(READING_MS, folder, readJudged(files, lines, setup));
  for (const note of faults.notes) say(`note: ${note}`);
  const diagnosis = diagnosisOf({ lines, ...setup, ...judged });
  show(folder, lines, diagnosis);
  return diagnosis.trouble;
}

function show(folder: string, lines: readonly MetricLine[], diagnosis: Diagnosis): void {
  const { verdict, evidence, remedy, risks, slowRank, steps } = diagnosis;
  const last = lines.at(-1);
  const row = (name: string, value: string) => print(`${name.padEnd(18)} ${value}`);
  row("run", shown(folder));
  if (last) {
    const epoch = typeof last.epoch === "number" ? `, epoch ${last.epoch.toFixed(2)}` : "";
    row("steps", `${last.step}${epoch}`);
  }
  if (steps) row("figures", `medians over steps ${steps[0]} to ${steps[1]}`);
  row("verdict", verdict);
  const list = (title: string, sentences: string[]) => {
    if (sentences.length) print(`\n${title}`);
    for (const sentence of sentences) print(`  - ${sentence}`);
  };
  list("what it rests on", evidence);
  list(remedyTitle(diagnosis), remedy ? [remedy] : []);
  list("risky settings, whatever the curves say", risks);
  list("a slow rank", slowRank ? [slowRank.evidence, slowRank.remedy] : []);
}
