/**
 * The folder of a comparison's results.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { fileError } from "../../lib/io/files.ts";
import { type Line, type Setup, type StepLine, summarize, type Summary } from "./results.ts";

/** Results, kept line by line. */
export interface Results {
  /** Sets up. */
  begin(setup: Setup): Promise<void>;
  /** Adds a line. */
  add(line: Line): Promise<void>;
  /** All so far. */
  readonly summary: Summary;
  /** All steps so far. */
  readonly steps: StepLine[];
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
    get summary() {
      return summarize(setup, lines);
    },
    get steps() {
      return lines.filter((line) => line.kind === "step");
    },
  };
}
