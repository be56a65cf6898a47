/**
 * From the folder of a run to what report, dashboard and doctor show: the one reader of runs.
 *
 * Nothing here trusts a file. Each is a regular file of a bounded size and of the shape that a run writes, or it is
 * left out and said so; long ones are read in pieces and thinned, so that a run of any length is shown.
 *
 * @module
 */
import { basename, resolve } from "node:path";
import { parseConfig } from "../config.ts";
import type { SkippedFile } from "../data/dataset.ts";
import { type MetricLine, MetricsReader } from "../diagnosis.ts";
import { HatchlingError } from "../errors.ts";
import { readConfigText } from "../io/config_file.ts";
import { statFile } from "../io/files.ts";
import type { BadMark, EvaluationLine, RunData, RunExtras, RunSetup } from "./data.ts";
import { Faults } from "./faults.ts";
import { isMissing, parseJson, READING_MS, RunFiles, within } from "./files.ts";
import { listSnapshots, SAMPLE_FILES } from "./left.ts";
import * as shapes from "./shapes.ts";

/** Bytes of the files that are read whole, and of lines. */
const SMALL = 1 << 16, FIGURES = 4 << 20, PICTURES = 32 << 20, LINES = 512 << 20;

/** Lines of metrics that are kept, and evaluations. */
const MOST_LINES = 50_000, MOST_EVALUATIONS = 20_000;

/** Starts, files of steps that were not finite, and files left out that are kept. */
const MOST_PARTS = 1000, MOST_BAD = 100, FIRST_SKIPPED = 5;

/**
 * Reads metrics.jsonl. A last line without an end is left out: it may only be being written.
 *
 * @returns The lines, and whether there is such a one.
 * @throws {HatchlingError} When it is missing, no regular file, or not that of a run.
 */
export async function readMetrics(
  files: RunFiles,
): Promise<{ lines: MetricLine[]; torn: boolean }> {
  const name = "metrics.jsonl", reader = new MetricsReader({ mostLines: MOST_LINES });
  let torn = false;
  const whole = await files.rows(
    name,
    LINES,
    (row) => reader.add(row),
    (row) => torn = reader.end(row),
  );
  reader.check(files.path(name));
  const { damaged, moreDamaged: more } = reader;
  if (whole) files.faults.addLines(name, damaged, more);
  else if (damaged.length) {
    files.faults.add(`${damaged.length + more} lines of ${name} are damaged`);
  }
  return { lines: reader.lines, torn };
}

/** Reads config.yaml and run.json. */
export async function readSetup(files: RunFiles): Promise<RunSetup> {
  const parts: RunSetup["parts"] = [];
  const record = await files.json("run.json", FIGURES, shapes.recordShape);
  const bad: number[] = [];
  record?.parts.slice(-MOST_PARTS).forEach((one, i) => {
    const { success, data } = shapes.partShape.safeParse(one);
    if (success) parts.push(data);
    else bad.push(i + 1);
  });
  if (bad.length) files.faults.add(`run.json tells of ${bad.length} starts what cannot be right`);
  const file = "config.yaml";
  let yaml: string | undefined;
  try {
    yaml = await readConfigText(files.path(file));
    const config = parseConfig(yaml, { file });
    return { parts, config, yaml, ...lengthOf(config, parts) };
  } catch (error) {
    const why = isMissing(error) ? `${files.path(file)} does not exist` : (error as Error).message;
    return { parts, yaml, why, lacksConfig: isMissing(error) };
  }
}

/**
 * Reads a run. What is missing leaves out what it would have told; what is damaged too, and is named in the notes.
 *
 * @param running Whether the run goes on; by default its lock tells.
 * @throws {HatchlingError} When the disk does not answer.
 */
export async function readRun(
  folder: string,
  { running }: { running?: boolean } = {},
): Promise<RunData> {
  const faults = new Faults(), files = new RunFiles(folder, faults);
  return await within(READING_MS + 10_000, folder, read(files, running));
}

async function read(files: RunFiles, running?: boolean): Promise<RunData> {
  const { folder, faults } = files;
  const setup = await readSetup(files);
  if (setup.why && !setup.lacksConfig) {
    const shown = setup.yaml === undefined
      ? ""
      : "config.yaml is shown as it is, and not understood: ";
    faults.add(shown + setup.why);
  }
  const { lines } = await files.attempt(() => readMetrics(files)) ?? { lines: [] };
  return {
    ...setup,
    folder,
    name: basename(resolve(folder)) || folder,
    lines,
    ...await readJudged(files, lines, setup),
    bad: await badMarks(files, lines),
    snapshots: await listSnapshots(folder),
    running: running ?? await isLocked(files),
    notes: faults.notes,
  };
}

/** Reads what was measured of a run, and whether it came to its end: then evaluation.json is of that. */
export async function readJudged(
  files: RunFiles,
  lines: readonly MetricLine[],
  { totalSteps = 1 }: Pick<RunSetup, "totalSteps">,
): Promise<Pick<RunData, "evaluations" | "figures" | "finished">> {
  const evaluations = await files.attempt(() => readEvaluations(files)) ?? [];
  const figures = await files.json("evaluation.json", FIGURES, shapes.figuresShape) ?? [];
  const last = lines.findLast((line) => line.non_finite === undefined)?.step ?? 0;
  const there = await Promise.all(
    // Of a run without a teacher there is the student alone.
    ["teacher", "student"].map((who) =>
      statFile(files.path(`${who}.safetensors`)).then(() => true, () => false)
    ),
  );
  return {
    evaluations,
    figures: figures.filter(({ percent, value }) => (percent ?? value) !== undefined),
    finished: there.includes(true) && last >= totalSteps,
  };
}

/** Reads what only a report shows, and adds what cannot be read to the notes of the run. */
export async function readExtras(run: RunData): Promise<RunExtras> {
  const faults = new Faults(), files = new RunFiles(run.folder, faults);
  for (const note of run.notes) faults.add(note);
  const skipped: { count: number; first: SkippedFile[] } = { count: 0, first: [] };
  await files.attempt(() =>
    readRows(files, "skipped.jsonl", shapes.skippedShape, (one) => {
      skipped.count++;
      if (skipped.first.length < FIRST_SKIPPED) skipped.first.push(one);
    })
  );
  const { augmentation, neighbors } = SAMPLE_FILES;
  const samples = {
    augmentation: await files.json(augmentation, PICTURES, shapes.augmentationShape),
    neighbors: await files.json(neighbors, PICTURES, shapes.neighborsShape),
  };
  run.notes = faults.notes;
  return { skipped, samples };
}

/** Reads lines of JSON of one shape; others are noted. A last line without an end is only being written. */
async function readRows<T>(
  files: RunFiles,
  name: string,
  shape: { safeParse(value: unknown): { success: boolean; data?: T } },
  take: (value: T) => void,
): Promise<void> {
  const damaged: number[] = [];
  let line = 0, more = 0;
  const parse = (row: string | undefined, isLast: boolean) => {
    line++;
    if (row?.trim() === "") return;
    const { success, data } = shape.safeParse(row === undefined ? undefined : parseJson(row));
    if (success) take(data!);
    else if (isLast) return;
    else if (damaged.length < 1000) damaged.push(line);
    else more++;
  };
  await files.rows(name, LINES, (row) => parse(row, false), (row) => parse(row, true));
  files.faults.addLines(name, damaged, more);
}

/** A run that went on from an earlier checkpoint has evaluated some steps twice: the later line counts. */
async function readEvaluations(files: RunFiles): Promise<EvaluationLine[]> {
  const lines: EvaluationLine[] = [];
  await readRows(files, "evaluations.jsonl", shapes.evaluationShape, (line: EvaluationLine) => {
    while (lines.length && lines.at(-1)!.step >= line.step) lines.pop();
    lines.push(line);
    if (lines.length > 2 * MOST_EVALUATIONS) lines.splice(0, lines.length - MOST_EVALUATIONS);
  });
  return lines;
}

function lengthOf(config: RunSetup["config"], parts: RunSetup["parts"]) {
  const pictures = parts.at(-1)?.data?.pictures ?? 0;
  if (!config) return {};
  const { data, training } = config;
  const batch = data.batch_size * training.gradient_accumulation_steps;
  const stepsPerEpoch = Math.floor(pictures / batch);
  if (!(stepsPerEpoch > 0)) return {};
  const totalSteps = Math.min(training.num_epochs * stepsPerEpoch, training.max_steps ?? Infinity);
  return { stepsPerEpoch, totalSteps };
}

/** The last steps that were not finite: files that the run has left, and lines of its metrics. */
async function badMarks(files: RunFiles, lines: readonly MetricLine[]): Promise<BadMark[]> {
  const marks = new Map<number, string>();
  const names = (await files.names()).filter((name) => /^non-finite-\d{1,15}\.json$/.test(name));
  for (const name of names.slice(-MOST_BAD)) {
    const found = await files.json(name, SMALL, shapes.nonFiniteShape);
    marks.set(Number(name.match(/\d+/)![0]), found?.what ?? ""); // its name tells the step
  }
  for (const { step, non_finite: what } of lines) if (what !== undefined) marks.set(step, what);
  return [...marks].map(([step, what]) => ({ step, what })).sort((a, b) => a.step - b.step)
    .slice(-MOST_BAD);
}

/** Whether a process holds the lock of a run's folder. */
async function isLocked(files: RunFiles): Promise<boolean> {
  const path = files.path("run.lock");
  try {
    await statFile(path); // opening a pipe would wait for whoever writes to it
    using file = await Deno.open(path, { read: true });
    return !file.tryLockSync(false);
  } catch (error) {
    // None, or none that this system knows; but whatever stands in its place is told.
    const isOdd = error instanceof HatchlingError && !(error.cause instanceof Error);
    if (isOdd) files.faults.add(error.message);
    return false;
  }
}
