/**
 * The folder of a comparison's results.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { fileError } from "../../lib/io/files.ts";
import { curvesSvg } from "./figure.ts";
import { type Line, type Setup, summarize, type Summary } from "./results.ts";

/** Results, kept line by line. */
export interface Results {
  /** Says what is compared; the first line. */
  begin(setup: Setup): Promise<void>;
  /** Adds a line. */
  add(line: Line): Promise<void>;
  /** Sums up all so far: results.json and curves.svg. */
  sumUp(): Promise<Summary>;
}

/**
 * Makes the folder.
 *
 * @throws {HatchlingError} When it holds results already, or cannot be written to.
 */
export async function openResults(folder: string): Promise<Results> {
  const path = join(folder, "results.jsonl");
  const fail = (error: unknown) => {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new HatchlingError(
        `Expected a folder without results but found ${path}: delete it, or choose another --out`,
      );
    }
    throw fileError("create", path, error);
  };
  await Deno.mkdir(folder, { recursive: true }).catch(fail);
  await Deno.writeTextFile(path, "", { createNew: true }).catch(fail);
  const lines: Line[] = [];
  let setup: Setup;
  const add = async (line: Line) => {
    lines.push(line);
    await Deno.writeTextFile(path, JSON.stringify(line) + "\n", { append: true }).catch((error) => {
      throw fileError("write", path, error);
    });
  };
  return {
    begin: async (given) => {
      setup = given;
      await add(given);
    },
    add,
    sumUp: () => writeSummary(folder, setup, lines),
  };
}

/**
 * Reads the lines of a comparison; the last one may have been cut short.
 *
 * @throws {HatchlingError} When the folder holds none.
 */
export async function readResults(folder: string): Promise<{ setup: Setup; lines: Line[] }> {
  const path = join(folder, "results.jsonl");
  const text = await Deno.readTextFile(path).catch((error) => {
    throw fileError("read", path, error);
  });
  const whole = text.slice(0, text.lastIndexOf("\n") + 1).split("\n").filter(Boolean);
  let all: Line[];
  try {
    all = whole.map((line) => JSON.parse(line));
  } catch (error) {
    throw new HatchlingError(`Expected lines of JSON in ${path} but ${(error as Error).message}`);
  }
  const [setup, ...lines] = all;
  if (setup?.kind !== "setup") {
    throw new HatchlingError(
      `Expected ${path} to begin with what is compared but found ${
        setup ? JSON.stringify(setup).slice(0, 80) : "nothing"
      }: it is no result of deno task bench:quality, or nothing was done yet`,
    );
  }
  return { setup, lines };
}

/** Writes results.json and curves.svg. */
export async function writeSummary(folder: string, setup: Setup, lines: readonly Line[]) {
  const summary = summarize(setup, lines);
  const svg = curvesSvg(summary, lines.filter((line) => line.kind === "step"));
  const json = JSON.stringify(summary, null, 2) + "\n";
  for (const [file, text] of [["results.json", json], ["curves.svg", svg]]) {
    await writeFileAtomic(join(folder, file), new TextEncoder().encode(text));
  }
  return summary;
}
