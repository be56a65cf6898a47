/**
 * From the folder of a run to what a report shows, from whatever files are there.
 *
 * @module
 */
import { basename, join, resolve } from "node:path";
import { type Config, parseConfig } from "../../lib/config.ts";
import type { SkippedFile } from "../../lib/data/dataset.ts";
import { type MetricLine, parseMetrics } from "../../lib/diagnosis.ts";
import { HatchlingError } from "../../lib/errors.ts";
import type { Figure } from "../../lib/eval/evaluate.ts";
import { fileError } from "../../lib/io/files.ts";
import type { RunPart } from "../train/run_record.ts";
import { listSnapshots, readSamples, type Samples, type Snapshot } from "./left.ts";

/** A line of evaluations.jsonl. */
export interface EvaluationLine {
  /** Steps done. */
  step: number;
  /** What was measured of the teacher. */
  figures: Pick<Figure, "metric" | "percent" | "value">[];
}

/** A step whose numbers were not finite. */
export interface BadMark {
  /** The step. */
  step: number;
  /** What held the first such number, in words. */
  what: string;
}

/** What is known of a run. */
export interface RunData {
  /** Path of its folder. */
  folder: string;
  /** Name of its folder. */
  name: string;
  /** Logged steps, each once and in order. */
  lines: MetricLine[];
  /** Evaluations while it trained, each step once and in order. */
  evaluations: EvaluationLine[];
  /** evaluation.json. */
  figures: Figure[];
  /** Every start of the run. */
  parts: Partial<RunPart>[];
  /** The configuration, where this version can read it. */
  config?: Config;
  /** Text of config.yaml. */
  yaml?: string;
  /** Steps of an epoch. */
  stepsPerEpoch?: number;
  /** Steps that the run is to do. */
  totalSteps?: number;
  /** Files that were left out. */
  skipped: SkippedFile[];
  /** Steps that were not finite: they were left out, or ended the run. */
  bad: BadMark[];
  /** Attention over time. */
  snapshots: Snapshot[];
  /** Pictures for the report that the run has left. */
  samples: Samples;
  /** Whether a process holds the folder. */
  running: boolean;
  /** Whether it came to its end. */
  finished: boolean;
  /** What could not be read, in words. */
  notes: string[];
}

/** A folder is a run's when one of these is in it. */
const OWN = ["metrics.jsonl", "run.json", "evaluations.jsonl"];

/** Whether a folder holds a run. */
export async function isRun(folder: string): Promise<boolean> {
  const found = await Promise.all(
    OWN.map((name) => Deno.stat(join(folder, name)).then((stat) => stat.isFile, () => false)),
  );
  return found.includes(true);
}

/**
 * Reads a run. A file that is missing or damaged leaves out what it would have told, and is named in the notes.
 *
 * @param running Whether the run goes on; by default its lock tells.
 */
export async function readRun(
  folder: string,
  { running }: { running?: boolean } = {},
): Promise<RunData> {
  const notes: string[] = [];
  const read = async (name: string): Promise<string | undefined> => {
    const path = join(folder, name);
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        notes.push(fileError("read", path, error).message);
      }
    }
  };
  const json = async <T>(name: string, fits: (value: unknown) => value is T) => {
    const text = await read(name);
    if (text === undefined) return undefined;
    try {
      const value: unknown = JSON.parse(text);
      if (fits(value)) return value;
    } catch {
      // said below
    }
    notes.push(`${name} is damaged and left out`);
  };

  const yaml = await read("config.yaml");
  const config = yaml === undefined ? undefined : configOf(yaml, notes);
  const record = await json("run.json", isRecord);
  const parts = Array.isArray(record?.parts) ? record.parts.filter(isRecord) : [];
  const lines = linesOf(await read("metrics.jsonl") ?? "", notes);
  const length = lengthOf(config, parts);
  const last = lines.findLast((line) => line.non_finite === undefined)?.step ?? 0;
  const files = await namesIn(folder, notes);
  return {
    folder,
    name: basename(resolve(folder)) || folder,
    lines,
    evaluations: evaluationsOf(rowsOf(await read("evaluations.jsonl"), "evaluations.jsonl", notes)),
    figures: await json("evaluation.json", isFigures) ?? [],
    parts,
    config,
    yaml,
    ...length,
    skipped: rowsOf(await read("skipped.jsonl"), "skipped.jsonl", notes).filter(isSkipped),
    bad: await badMarks(files, lines, read),
    snapshots: await listSnapshots(folder),
    samples: await readSamples(folder, notes),
    running: running ?? await isLocked(folder),
    finished: files.includes("teacher.safetensors") && last >= (length.totalSteps ?? 1),
    notes,
  };
}

function configOf(yaml: string, notes: string[]): Config | undefined {
  try {
    return parseConfig(yaml, { file: "config.yaml" });
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
    notes.push(`config.yaml is shown as it is, and not understood: ${error.message}`);
  }
}

function linesOf(text: string, notes: string[]): MetricLine[] {
  try {
    const { lines, damaged } = parseMetrics(text);
    for (const line of damaged) notes.push(`line ${line} of metrics.jsonl is damaged and left out`);
    return lines;
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
    notes.push(error.message);
    return [];
  }
}

/** The sound lines of a file of JSON lines; a last line that was cut off is only being written. */
function rowsOf(text: string | undefined, name: string, notes: string[]): unknown[] {
  const rows = (text ?? "").split("\n");
  return rows.flatMap((row, i): unknown[] => {
    if (row.trim() === "") return [];
    try {
      return [JSON.parse(row)];
    } catch {
      if (i < rows.length - 1) notes.push(`line ${i + 1} of ${name} is damaged and left out`);
      return [];
    }
  });
}

/** A run that went on from an earlier checkpoint has evaluated some steps twice: the later line counts. */
function evaluationsOf(rows: unknown[]): EvaluationLine[] {
  const lines: EvaluationLine[] = [];
  for (const row of rows) {
    if (!isRecord(row) || typeof row.step !== "number" || !Array.isArray(row.figures)) continue;
    const figures = row.figures.filter((figure) =>
      isRecord(figure) && typeof figure.metric === "string"
    );
    while (lines.length && lines.at(-1)!.step >= row.step) lines.pop();
    lines.push({ step: row.step, figures });
  }
  return lines;
}

function lengthOf(config: Config | undefined, parts: Partial<RunPart>[]) {
  const pictures = Number(parts.at(-1)?.data?.pictures);
  if (!config || !(pictures > 0)) return {};
  const { data, training } = config;
  const batch = data.batch_size * training.gradient_accumulation_steps;
  const stepsPerEpoch = Math.floor(pictures / batch);
  if (!(stepsPerEpoch > 0)) return {};
  const totalSteps = Math.min(training.num_epochs * stepsPerEpoch, training.max_steps ?? Infinity);
  return { stepsPerEpoch, totalSteps };
}

async function badMarks(
  files: readonly string[],
  lines: readonly MetricLine[],
  read: (name: string) => Promise<string | undefined>,
): Promise<BadMark[]> {
  const marks = new Map<number, string>();
  for (const name of files.filter((name) => /^non-finite-\d+\.json$/.test(name))) {
    const step = Number(name.match(/\d+/)![0]);
    let what = "";
    try {
      what = String(JSON.parse(await read(name) ?? "").what ?? "");
    } catch {
      // its name tells the step
    }
    marks.set(step, what);
  }
  for (const { step, non_finite: what } of lines) if (what !== undefined) marks.set(step, what);
  return [...marks].map(([step, what]) => ({ step, what })).sort((a, b) => a.step - b.step);
}

async function namesIn(folder: string, notes: string[]): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) names.push(name);
  } catch (error) {
    notes.push(fileError("list", folder, error).message);
  }
  return names.sort();
}

/** Whether a process holds the lock of a run's folder. */
async function isLocked(folder: string): Promise<boolean> {
  try {
    using file = await Deno.open(join(folder, "run.lock"), { read: true });
    return !file.tryLockSync(false);
  } catch {
    return false; // no lock, or none that this system knows
  }
}

// deno-lint-ignore no-explicit-any
function isRecord(value: unknown): value is Record<string, any> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isFigures(value: unknown): value is Figure[] {
  return Array.isArray(value) && value.every((figure) => {
    return isRecord(figure) && typeof figure.metric === "string" &&
      typeof figure.encoder === "string";
  });
}

function isSkipped(value: unknown): value is SkippedFile {
  return isRecord(value) && typeof value.file === "string";
}
