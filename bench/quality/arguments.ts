/**
 * The command line of `deno task bench:quality`.
 *
 * @module
 */
import { basename, join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { type Config, parseOverrides } from "../../lib/config.ts";
import type { DatasetKind } from "../../lib/data/open.ts";
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
  /** Judge the pictures of this set, not those that are trained on. */
  judge?: DatasetKind;
  /** An objective that PyTorch alone has: it trains by itself, on the recipe's crops. */
  objective?: "simdino";
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
    .option("--judge <dataset>", "judge its pictures, not those trained on: emoji_base for one")
    .addOption(
      new Option("--objective <name>", "train PyTorch alone, by an objective that only it has")
        .choices(["simdino"]),
    )
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
  const { objective } = options;
  const out = options.out ?? join("runs", `quality-${objective ? `${objective}-` : ""}${name}`);
  if (objective && options.seeds.length) {
    throw new HatchlingError(
      `Expected no --seeds with --objective ${objective} but found ${options.seeds}: Hatchling trains from them, ` +
        "and does not take part; for other weights set --training.seed",
    );
  }
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
