/**
 * The command line of `deno task bench:quality`.
 *
 * @module
 */
import { basename, join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { type Config, parseOverrides } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { readConfig } from "../../lib/io/config_file.ts";

/** What was asked for. */
export interface QualityArguments {
  /** The file of the recipe. */
  file: string;
  /** The recipe. */
  config: Config;
  /** Epochs to run; schedules keep the length of the recipe. */
  epochs?: number;
  /** Epochs between evaluations. */
  every: number;
  /** Threads of PyTorch. */
  threads: number;
  /** Folder of the results. */
  out: string;
  /** Other seeds of initial weights that Hatchling also trains from. */
  seeds: number[];
  /** PyTorch in float64 as well. */
  float64: boolean;
}

/**
 * Reads the arguments and the recipe that they name.
 *
 * @throws {HatchlingError} Listing every mistake of the recipe.
 */
export async function readQualityArguments(
  args: readonly string[],
): Promise<QualityArguments | { report: string }> {
  const { overrides, rest } = parseOverrides([...args]);
  const command = new Command("bench:quality")
    .description("Trains a recipe in Hatchling and in PyTorch, on the same crops, step by step.")
    .argument("[config]", "YAML file, configs/small.yaml for instance")
    .option("--epochs <n>", "stop after so many; schedules keep the recipe's length", whole)
    .option("--every <n>", "epochs between evaluations", whole, 1)
    .option("--threads <n>", "threads of PyTorch", whole, navigator.hardwareConcurrency)
    .option("--out <dir>", "folder of the results (default: runs/quality-<config>)")
    .option(
      "--seeds <list>",
      "train Hatchling also from initial weights of these seeds, as a yardstick: 1,2",
      seedsOf,
      [],
    )
    .option("--report <dir>", "sum up the results of a comparison, finished or not; trains nothing")
    .option("--float64", "train PyTorch also in float64, as a yardstick", false)
    .addHelpText("after", "\nAny key of the configuration: --training.num_epochs 20")
    .parse(rest, { from: "user" });
  const [file] = command.args;
  const { report, ...options } = command.opts<
    Omit<QualityArguments, "file" | "config"> & { report?: string }
  >();
  if (report !== undefined) return { report };
  if (file === undefined) {
    throw new HatchlingError(
      "Expected a recipe but found none: name its YAML file, configs/small.yaml for instance",
    );
  }
  const { config } = await readConfig(file, { overrides });
  const name = basename(file).replace(/\.ya?ml$/i, "");
  const out = options.out ?? join("runs", `quality-${name}`);
  if (options.seeds.includes(config.training.seed)) {
    throw new HatchlingError(
      `Expected --seeds other than training.seed but found ${config.training.seed} in both: the recipe's own is ` +
        "always trained",
    );
  }
  return { ...options, file, config, out };
}

function whole(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError("Expected a whole number ≥ 1.");
  return n;
}

function seedsOf(text: string): number[] {
  return text.split(",").map((part) => {
    const seed = Number(part);
    if (!part.trim() || !Number.isSafeInteger(seed) || seed < 0) {
      throw new InvalidArgumentError("Expected whole numbers ≥ 0, separated by commas.");
    }
    return seed;
  });
}
