/**
 * What state a run is in, from its folder alone.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { parseConfig } from "../../lib/config.ts";
import {
  diagnose,
  type Diagnosis,
  type DiagnosisSettings,
  type MetricLine,
  parseMetrics,
  recentSteps,
} from "../../lib/diagnosis.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { fileError } from "../../lib/io/files.ts";
import { diagnosisSettingsOf } from "../train/run_log.ts";

/** Most runs that a message names. */
const NAMED = 5;

/**
 * Reads metrics.jsonl and config.yaml of a run and prints the diagnosis.
 *
 * @param run The folder of the run, or a file in it.
 * @returns True when the run is in trouble.
 * @throws {HatchlingError} When the folder holds no run, or nothing of its metrics can be read.
 */
export async function examineRun(run: string): Promise<boolean> {
  const isFile = await Deno.stat(run).then((stat) => stat.isFile, () => false);
  const folder = isFile ? dirname(run) : run;
  const path = join(folder, "metrics.jsonl");
  const text = await Deno.readTextFile(path).catch(async (error) => {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
      throw fileError("read", path, error);
    }
    throw new HatchlingError(
      `Expected the folder of a run but ${path} does not exist: ${await suggestion(folder)}`,
    );
  });
  const { lines, damaged, torn } = parseMetrics(text, path);
  if (torn) console.error(`note: the last line of ${path} has no end and is left out`);
  for (const line of damaged) {
    console.error(`note: line ${line} of ${path} is damaged and left out`);
  }
  const diagnosis = diagnose(lines, await settingsOf(folder));
  print(folder, lines, diagnosis);
  return diagnosis.trouble;
}

/** What config.yaml says; without it the curves speak alone. */
async function settingsOf(folder: string): Promise<DiagnosisSettings> {
  const file = join(folder, "config.yaml");
  try {
    return diagnosisSettingsOf(parseConfig(await Deno.readTextFile(file), { file }));
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    if (!missing && !(error instanceof HatchlingError)) throw fileError("read", file, error);
    console.error(
      `note: the settings of the run are not known, only its curves: ` +
        (missing ? `${file} does not exist` : (error as Error).message),
    );
    return {};
  }
}

function print(folder: string, lines: readonly MetricLine[], diagnosis: Diagnosis): void {
  const { verdict, evidence, remedy, risks } = diagnosis;
  const last = lines.at(-1);
  const recent = recentSteps(lines);
  const row = (name: string, value: string) => console.log(`${name.padEnd(18)} ${value}`);
  row("run", folder);
  if (last) {
    const epoch = typeof last.epoch === "number" ? `, epoch ${last.epoch.toFixed(2)}` : "";
    row("steps", `${last.step}${epoch}`);
  }
  if (recent) row("figures", `medians over steps ${recent[0]} to ${recent[1]}`);
  row("verdict", verdict);
  const list = (title: string, sentences: string[]) => {
    if (sentences.length) console.log(`\n${title}`);
    for (const sentence of sentences) console.log(`  - ${sentence}`);
  };
  list("what it rests on", evidence);
  list("what to change first", remedy ? [remedy] : []);
  list("risky settings, whatever the curves say", risks);
}

/** The runs that may have been meant. */
export async function suggestion(folder: string): Promise<string> {
  const runs = [...await runsIn(folder), ...await runsIn("runs")];
  if (!runs.length) return "name one that `deno task train` has made, runs/small-… for instance";
  const newest = runs.slice(0, NAMED).join(", ");
  return `name a run, for instance ${newest}${runs.length > NAMED ? " …" : ""}`;
}

/** Sub-folders with metrics, by falling name: the newest first, as train names them. */
async function runsIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const run = join(folder, name);
      const known = await Deno.stat(join(run, "metrics.jsonl")).then(() => true, () => false);
      if (known) found.push(run);
    }
  } catch (error) {
    const none = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (!none) throw fileError("list", folder, error);
  }
  return found.sort().reverse();
}
