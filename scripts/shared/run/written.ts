/**
 * What a run writes into its folder: the one list of it, for whoever deletes, looks for or refuses a run.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../../lib/errors.ts";
import { removeTemporaries } from "../../../lib/io/checkpoint.ts";
import { fileError } from "../../../lib/io/files.ts";
import { shown } from "../../../lib/text.ts";
import { SAMPLE_FILES, SNAPSHOT_FOLDER, SNAPSHOT_HEADS, SNAPSHOT_PICTURES } from "./left.ts";

/** Folders that a run makes below its own. */
const BELOW = [SNAPSHOT_FOLDER, "curves"];

/** A file that a run writes. */
interface Kind {
  /** Its name, or what its name is like; with a slash before it where it is in a folder below. */
  name: string | RegExp;
  /** Whether it says that a folder holds a run, and which file to name first; without it somebody else may have it. */
  marks?: number;
}

const KINDS: readonly Kind[] = [
  { name: /^checkpoint-\d{8,}\.safetensors$/, marks: 0 },
  { name: "teacher.safetensors", marks: 1 },
  { name: "student.safetensors", marks: 1 },
  { name: "best.safetensors", marks: 1 },
  { name: "run.json", marks: 2 },
  { name: "metrics.jsonl", marks: 2 },
  { name: "evaluations.jsonl", marks: 2 },
  { name: "evaluation.json", marks: 2 },
  { name: "skipped.jsonl", marks: 3 },
  { name: /^events\.out\.tfevents\.\d{10}\.hatchling\.\d+$/, marks: 3 },
  { name: /^non-finite-\d{8,}\.json$/, marks: 3 },
  { name: "config.yaml" },
  { name: "kernels.json" },
  { name: SAMPLE_FILES.augmentation },
  { name: SAMPLE_FILES.neighbors },
  { name: "report.html" },
  { name: /^curves\/[\w-]+\.(svg|png)$/ },
  { name: /^attention\/step-\d{8,}\.png$/ },
  { name: `${SNAPSHOT_FOLDER}/${SNAPSHOT_PICTURES}` },
  { name: `${SNAPSHOT_FOLDER}/${SNAPSHOT_HEADS}` },
];

function kindOf(name: string): Kind | undefined {
  return KINDS.find((kind) =>
    typeof kind.name === "string" ? kind.name === name : kind.name.test(name)
  );
}

/** Paths within a folder of the files that a run wrote, in order; none where there is no such folder. */
export async function runFiles(folder: string): Promise<string[]> {
  return (await namesIn(folder)).filter(kindOf).sort();
}

/** Deletes what writes that were killed have left. Only for who has the folder to himself. */
export async function removeTorn(folder: string): Promise<void> {
  for (const below of ["", ...BELOW]) await removeTemporaries(join(folder, below));
}

/** The file that best says that a folder holds a run, the newest checkpoint first; undefined where none does. */
export async function markOf(folder: string): Promise<string | undefined> {
  const marks = (await runFiles(folder)).flatMap((name) => {
    const rank = kindOf(name)?.marks;
    return rank === undefined ? [] : [{ name, rank }];
  });
  return marks.sort((a, b) => a.rank - b.rank || (a.name < b.name ? 1 : -1)).at(0)?.name;
}

/**
 * Looks whether a run can write its files: a pipe would make it wait without end, and a folder is never replaced.
 *
 * @throws {HatchlingError} Naming what lies in the place of one.
 */
export async function checkPlaces(folder: string): Promise<void> {
  const names = KINDS.flatMap(({ name }) => typeof name === "string" ? [name] : []);
  for (const name of names) {
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
