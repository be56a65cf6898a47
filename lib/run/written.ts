/**
 * What a run writes into its folder: the one list of it, for whoever deletes, looks for or refuses a run.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../errors.ts";
import { removeTemporaries } from "../io/checkpoint.ts";
import { fileError } from "../io/files.ts";
import { shown } from "../text.ts";
import { isRun, OWN } from "./find.ts";
import { SAMPLE_FILES, SNAPSHOT_FOLDER, SNAPSHOT_HEADS, SNAPSHOT_PICTURES } from "./left.ts";

/** Folders that a run makes below its own. */
const BELOW = [SNAPSHOT_FOLDER, "curves"];

/** Their names, or what these are like; with a slash those of a folder below. */
const FILES: readonly (string | RegExp)[] = [
  /^checkpoint-\d{8,}\.safetensors$/,
  "teacher.safetensors",
  "student.safetensors",
  "best.safetensors",
  "run.json",
  "metrics.jsonl",
  "evaluations.jsonl",
  "evaluation.json",
  "skipped.jsonl",
  "config.yaml",
  "kernels.json",
  "report.html",
  SAMPLE_FILES.augmentation,
  SAMPLE_FILES.neighbors,
  /^events\.out\.tfevents\.\d{10}\.hatchling\.\d+$/,
  /^whitening-[\w+-]+\.safetensors$/,
  /^non-finite-\d{8,}\.json$/,
  /^canary-\d{8,}\.json$/,
  /^curves\/[\w-]+\.(svg|png)$/,
  /^attention\/step-\d{8,}\.png$/,
  `${SNAPSHOT_FOLDER}/${SNAPSHOT_PICTURES}`,
  `${SNAPSHOT_FOLDER}/${SNAPSHOT_HEADS}`,
];

function isWritten(path: string): boolean {
  return FILES.some((name) => typeof name === "string" ? name === path : name.test(path));
}

/** Paths within a folder of files that have the names of a run's, in order; none where there is no such folder. */
export async function runFiles(folder: string): Promise<string[]> {
  return (await namesIn(folder)).filter(isWritten).sort();
}

/** Deletes what writes that were killed have left. Only for who has the folder to himself. */
export async function removeTorn(folder: string): Promise<void> {
  for (const below of ["", ...BELOW]) await removeTemporaries(join(folder, below));
}

/** The file that says that a folder holds a run, the newest checkpoint first; undefined where it holds none. */
export async function markOf(folder: string): Promise<string | undefined> {
  const names = await runFiles(folder);
  const newest = names.findLast((name) => name.startsWith("checkpoint-"));
  if (newest !== undefined) return newest;
  return await isRun(folder) ? OWN.find((name) => names.includes(name)) : undefined;
}

/**
 * Looks whether a run can write its files: a pipe would make it wait without end, and a folder is never replaced.
 *
 * @throws {HatchlingError} Naming what lies in the place of one.
 */
export async function checkPlaces(folder: string): Promise<void> {
  for (const name of FILES.filter((name) => typeof name === "string")) {
    const path = join(folder, name);
    const info = await Deno.stat(path).catch(() => undefined);
    if (!info || info.isFile) continue;
    throw new HatchlingError(
      `Expected a file at ${shown(path)}, where a run writes one, but found ${
        info.isDirectory ? "a folder" : "a device, pipe or socket"
      }: move it away, or choose another --out`,
    );
  }
  for (const below of BELOW) {
    const path = join(folder, below);
    const info = await Deno.stat(path).catch(() => undefined);
    if (!info || info.isDirectory) continue;
    throw new HatchlingError(
      `Expected a folder at ${shown(path)}, where a run makes one, but found something else: ` +
        "move it away, or choose another --out",
    );
  }
}

/** Moves a run's files from one folder to another of the same disk; folders below that are then empty go. */
export async function moveRun(from: string, to: string): Promise<void> {
  for (const name of await runFiles(from)) {
    const [old, now] = [join(from, name), join(to, name)];
    try {
      if (name.includes("/")) await Deno.mkdir(join(now, ".."), { recursive: true });
      await Deno.rename(old, now);
    } catch (error) {
      throw fileError("move", old, error);
    }
  }
  await removeBelow(from);
}

/** Deletes a run's files, and folders below that are then empty. */
export async function deleteRun(folder: string): Promise<void> {
  await removeTorn(folder);
  for (const name of await runFiles(folder)) {
    const path = join(folder, name);
    await Deno.remove(path).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw fileError("delete", path, error);
    });
  }
  await removeBelow(folder);
}

async function removeBelow(folder: string): Promise<void> {
  for (const below of BELOW) {
    await Deno.remove(join(folder, below)).catch(() => {}); // it isn't there, or holds files of the user
  }
}

/** Files in a folder and in those that a run makes below it. */
async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for (const below of ["", ...BELOW]) {
    const path = join(folder, below);
    try {
      for await (const { name, isDirectory } of Deno.readDir(path)) {
        if (!isDirectory) names.push(below ? `${below}/${name}` : name);
      }
    } catch (error) {
      const none = error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.NotADirectory;
      if (!none) throw fileError("list", path, error);
    }
  }
  return names;
}
