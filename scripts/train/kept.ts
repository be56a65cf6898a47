/**
 * The small files of a run that goes on. None of them is needed for it: one that is damaged is said, and written anew.
 *
 * @module
 */
import { join } from "node:path";
import { parseConfig } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { readFile } from "../../lib/io/files.ts";
import { shown } from "../../lib/text.ts";
import { say } from "../common/terminal.ts";
import type { SkippedRow } from "./pictures.ts";

/** Larger ones are not what a run writes. */
const MOST_BYTES = 1 << 28;

/** Reads them before anything is changed. Returns the files that earlier starts have left out. */
export async function readKept(folder: string): Promise<SkippedRow[]> {
  const text = async (name: string): Promise<string | undefined> => {
    const path = join(folder, name);
    if (!await Deno.stat(path).then(() => true, () => false)) return undefined;
    try {
      const bytes = await readFile(path, { maxBytes: MOST_BYTES });
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (error) {
      const why = error instanceof HatchlingError ? error.message : "it is no text";
      say(`warning: ${shown(path)} is left out: ${why}`);
    }
  };
  const damaged = (name: string, what: string) =>
    say(`warning: ${shown(join(folder, name))} is damaged: ${what}`);

  const record = await text("run.json");
  if (record !== undefined && !isList(valueOf(record, "parts"))) {
    damaged("run.json", "earlier starts of the run are no longer listed");
  }
  const kernels = await text("kernels.json");
  if (kernels !== undefined && !isObject(valueOf(kernels, "choices"))) {
    damaged("kernels.json", "it is written anew");
  }
  const yaml = await text("config.yaml");
  if (yaml !== undefined && !isConfig(yaml)) damaged("config.yaml", "it is written anew");

  const rowsOf = async <T>(name: string, fits: (row: Record<string, unknown>) => boolean) => {
    const found = await text(name) ?? "";
    const lines = found.split("\n");
    const torn = lines.pop(); // a last line without its end was being written
    const rows = lines.filter((line) => line.trim() !== "").map((line) => {
      const row = parsed(line);
      return isObject(row) && fits(row) ? row as T : undefined;
    });
    const sound = rows.filter((row) => row !== undefined);
    const lost = rows.length - sound.length;
    if (lost) {
      damaged(name, `${lost} of its ${rows.length} lines ${lost === 1 ? "is" : "are"} left out`);
    } else if (found && !rows.length && torn) damaged(name, "it holds no whole line");
    return sound;
  };
  await rowsOf("metrics.jsonl", ({ step }) => typeof step === "number");
  await rowsOf("evaluations.jsonl", (row) => typeof row.step === "number" && isList(row.figures));
  return await rowsOf<SkippedRow>(
    "skipped.jsonl",
    ({ file, reason }) => typeof file === "string" && typeof reason === "string",
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function valueOf(text: string, key: string): unknown {
  const value = parsed(text);
  return isObject(value) ? value[key] : undefined;
}

function isConfig(text: string): boolean {
  try {
    parseConfig(text);
    return true;
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
    return false;
  }
}

const isList = Array.isArray;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !isList(value);
}
