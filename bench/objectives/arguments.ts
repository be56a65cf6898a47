/**
 * The command line of `deno task bench:objectives`.
 *
 * @module
 */
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { type Override, parseOverrides } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { type Row, ROWS } from "./rows.ts";

/** What was asked for. */
export interface ObjectivesArguments {
  /** The rows. */
  rows: Row[];
  /** The seeds of each. */
  seeds: number[];
  /** Where all is kept. */
  out: string;
  /** What is shown of it. */
  readouts: string[];
  /** Print the tables of what is there, and train nothing. */
  report: boolean;
  /** Print commands, and do nothing. */
  list: boolean;
  /** What is set beside every row. */
  extra: Override[];
}

/**
 * Reads the arguments.
 *
 * @throws {HatchlingError} When a row is unknown.
 */
export function readObjectivesArguments(args: readonly string[]): ObjectivesArguments {
  const { overrides: extra, rest } = parseOverrides([...args]);
  const command = new Command("bench:objectives")
    .description("Trains objectives one after the other, and makes one table of what they learn.")
    .option("--rows <list>", "only these, separated by commas (default: all; --list names them)")
    .option("--seeds <list>", "seeds of each row", wholes, [0, 1])
    .option(
      "--out <dir>",
      "folder that keeps all; what is there is not done again",
      join("runs", "objectives"),
    )
    .option(
      "--readouts <list>",
      "what the table shows: class, mean, quad, grid; W is whitened",
      texts,
      [
        "class",
        "grid",
        "grid W",
      ],
    )
    .option("--report", "print the tables of what is there; trains nothing", false)
    .option("--list", "print the rows' commands; does nothing", false)
    .addHelpText("after", "\nAny key of the configuration is set beside every row, for trials")
    .parse(rest, { from: "user" });
  const { rows: names, ...options } = command.opts<
    Omit<ObjectivesArguments, "rows" | "extra"> & { rows?: string }
  >();
  return { ...options, rows: rowsOf(names), extra };
}

function rowsOf(names: string | undefined): Row[] {
  if (names === undefined) return [...ROWS];
  return texts(names).map((name) => {
    const row = ROWS.find((row) => row.name === name);
    if (row) return row;
    throw new HatchlingError(
      `Expected rows among ${ROWS.map((row) => row.name).join(", ")} but found ${name}`,
    );
  });
}

function texts(list: string): string[] {
  return list.split(",").map((text) => text.trim()).filter(Boolean);
}

function wholes(list: string): number[] {
  return texts(list).map((text) => {
    const n = Number(text);
    if (Number.isSafeInteger(n) && n >= 0) return n;
    throw new InvalidArgumentError("Expected whole numbers ≥ 0, separated by commas.");
  });
}
