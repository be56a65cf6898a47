/**
 * Which folders hold a run.
 *
 * @module
 */
import { join } from "node:path";
import { parseMetricLine } from "../diagnosis.ts";
import { fileError, statFile } from "../io/files.ts";
import { shown } from "../text.ts";
import { isMissing, parseJson } from "./files.ts";
import { recordShape } from "./shapes.ts";

/** The beginning of a file that tells what it is, in bytes; run.json is read whole, up to as much. */
const BEGINNING = 1 << 18, RECORD = 4 << 20;

/** Most runs that a message names, and entries of a folder that are looked at for it. */
const NAMED = 5, ENTRIES = 1000;

/** What a file says of its folder: a run's, not a run's, or nothing: it is missing, empty or spoiled. */
type Sign = "run" | "foreign" | "spoiled" | "missing";

/** Tells files of a run by what is in them. */
const SIGNS: Record<string, (path: string) => Promise<Sign>> = {
  "run.json": async (path) => {
    const text = await beginning(path, RECORD);
    const value = parseJson(text);
    if (value === undefined) return "spoiled";
    const { data } = recordShape.safeParse(value);
    return data?.parts.some((part) => has(part, "started", "command")) ? "run" : "foreign";
  },
  "metrics.jsonl": (path) =>
    signOfRows(path, (row) => {
      const line = parseMetricLine(row);
      return line ? Object.keys(line).length > 1 : has(parseJson(row), "step", "loss");
    }),
  "evaluations.jsonl": (path) => signOfRows(path, (row) => has(parseJson(row), "step", "figures")),
};

/** The names of files that tell whether a folder holds a run. */
export const OWN: readonly string[] = Object.keys(SIGNS);

/**
 * Whether a folder holds a run: one of its files is a run's by its content; or one is there that cannot be read, and
 * none that belongs to another program.
 */
export async function isRun(folder: string): Promise<boolean> {
  const signs = await Promise.all(
    Object.entries(SIGNS).map(async ([name, signOf]): Promise<Sign> => {
      try {
        return await signOf(join(folder, name));
      } catch (error) {
        return isMissing(error) ? "missing" : "spoiled";
      }
    }),
  );
  return signs.includes("run") || signs.includes("spoiled") && !signs.includes("foreign");
}

async function signOfRows(path: string, isOwn: (row: string) => boolean): Promise<Sign> {
  const text = await beginning(path, BEGINNING), rows = text.split("\n");
  if (rows.some(isOwn)) return "run";
  // A disk that was full or lost its power leaves an empty file, zeros, or a part of a line.
  const isSpoiled = text.trim() === "" || /[\0\ufffd]/.test(text) ||
    rows.some((row) => row.includes('"step"') && parseJson(row) === undefined);
  return isSpoiled ? "spoiled" : "foreign";
}

/** Whether it is an object with some keys, whatever their values. */
function has(value: unknown, ...keys: readonly string[]): boolean {
  return typeof value === "object" && value !== null &&
    keys.every((key) => Object.hasOwn(value, key));
}

/** The beginning of a regular file. */
async function beginning(path: string, maxBytes: number): Promise<string> {
  const { size } = await statFile(path);
  const bytes = new Uint8Array(Math.min(size, maxBytes));
  let at = 0;
  try {
    using file = await Deno.open(path);
    while (at < bytes.length) {
      const n = await file.read(bytes.subarray(at));
      if (n === null) break;
      at += n;
    }
  } catch (error) {
    throw fileError("read", path, error);
  }
  return new TextDecoder().decode(bytes.subarray(0, at));
}

/** The runs that may have been meant, in words. */
export async function suggestion(folder: string): Promise<string> {
  const runs = [...await runsIn(folder), ...await runsIn("runs")];
  if (!runs.length) return "name one that `deno task train` has made, runs/small-… for instance";
  const newest = runs.slice(0, NAMED).map(shown).join(", ");
  return `name a run, for instance ${newest}${runs.length > NAMED ? " …" : ""}`;
}

/** Runs in a folder by falling name: the newest first, as train names them. */
async function runsIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  let left = ENTRIES;
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (!left--) break;
      if (!isFile && await isRun(join(folder, name))) found.push(join(folder, name));
    }
  } catch (error) {
    const failure = fileError("list", folder, error);
    if (!isMissing(failure)) throw failure;
  }
  return found.sort().reverse();
}
