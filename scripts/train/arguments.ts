/**
 * The command line of `deno task train`.
 *
 * @module
 */
import { Command } from "commander";
import { type Config, parseConfig, parseOverrides } from "../../lib/config.ts";
import { readFile } from "../../lib/io/files.ts";

/** What was asked for. */
export interface Arguments {
  /** Path of the YAML file. */
  file: string;
  /** Folder of the run, when it was named. */
  out?: string;
  /** Go on with a run. */
  resume?: boolean;
  /** The file's configuration with the overrides of the command line. */
  config: Config;
}

/**
 * Reads the arguments and the configuration that they name.
 *
 * @throws {HatchlingError} Listing every mistake of the configuration with its place.
 */
export async function readArguments(args: readonly string[]): Promise<Arguments> {
  const { overrides, rest } = parseOverrides([...args]);
  const command = new Command("train")
    .description("Trains a vision transformer with DINO.")
    .argument("<config>", "YAML file, configs/small.yaml for instance")
    .option("--out <dir>", "folder of the run (default: runs/<config>-<time>)")
    .option("--resume", "go on with the newest run of this config, or the one in --out")
    .addHelpText(
      "after",
      "\nAny key of the configuration: --optimizer.lr 1e-3, --data.path DIR (docs/configuration.md)",
    )
    .parse(rest, { from: "user" });
  const [file] = command.args;
  const config = parseConfig(new TextDecoder().decode(await readFile(file)), { file, overrides });
  return { file, ...command.opts<{ out?: string; resume?: boolean }>(), config };
}
