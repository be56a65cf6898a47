/**
 * The command line of `deno task train`.
 *
 * @module
 */
import { CommanderError } from "commander";
import { type Config, type Override, parseOverrides } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { parseDuration } from "../../lib/preset.ts";
import { shown } from "../../lib/text.ts";
import { ownConfig } from "../common/called.ts";
import { type Address, addressOf } from "../common/dashboard/address.ts";
import { newCommand } from "../common/command.ts";
import { print, say } from "../common/terminal.ts";
import { readConfigWith } from "./weights.ts";

/** What was asked for. */
export interface Arguments {
  /** Path of the YAML file. */
  file: string;
  /** Folder of the run, when it was named. */
  out?: string;
  /** Go on with a run. */
  resume?: boolean;
  /** Go on with more epochs than the run started with. */
  extend?: boolean;
  /** Take the place of the run that the folder holds. */
  overwrite?: boolean;
  /** Weights to start from: a file, a published model's folder, or a run's; `#PART` behind it. */
  weights?: string;
  /** Time that the run may take, as it was written: it decides the epochs. */
  budget?: string;
  /** Where to serve a page with the run's curves, when it was asked for. */
  dashboard?: Address;
  /** What the file and the command line set by themselves. */
  given: Map<string, unknown>;
  /** The file's configuration with the overrides of the command line. */
  config: Config;
}

/**
 * Reads the arguments and the configuration that they name.
 *
 * @returns Or the exit status, where no run was asked for: help, or what is wrong, is on the screen then. The process
 * goes on, as ranks end together.
 * @throws {HatchlingError} Listing every mistake of the configuration with its place.
 */
export async function readArguments(args: readonly string[]): Promise<Arguments | number> {
  let parsed: ReturnType<typeof parseArguments>;
  try {
    parsed = parseArguments(args, { print, say });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    throw error;
  }
  const { file, overrides, options: { dashboard: port, dashboardHost: host, ...options } } = parsed;
  refuseBoth(options, "resume", "overwrite");
  refuseBoth(options, "resume", "weights");
  if (options.extend && !options.resume) {
    throw new HatchlingError(
      "Expected --resume beside --extend: a new run sets training.num_epochs",
    );
  }
  if (options.budget) parseDuration(options.budget);
  const onWarning = (line: string) => say(`warning: ${line}`);
  const read = await readConfigWith(options.weights, file, { overrides, onWarning });
  const dashboard = port || host ? addressOf(port, host) : undefined;
  return { file, ...options, dashboard, ...read };
}

/**
 * Takes the command line apart; nothing of what it names is read.
 *
 * @param screen Where help and mistakes of the command line are said, if anywhere.
 * @throws {CommanderError} With a screen, when no run is asked for.
 * @throws {HatchlingError} Without one, then.
 */
export function parseArguments(
  args: readonly string[],
  screen?: Record<"print" | "say", (text: string) => void>,
): { file: string; overrides: Override[]; options: Options } {
  const { overrides, rest } = parseOverrides([...args]);
  const command = newCommand("train")
    .description("Trains a vision transformer with DINO.")
    .argument("<config>", `YAML file, ${ownConfig("small")} for instance`)
    .option("--out <dir>", "folder of the run (default: runs/<config>-<time>)")
    .option("--resume", "go on with the newest run of this config, or the one in --out")
    .option("--extend", "with --resume: allow more training.num_epochs than before")
    .option("--overwrite", "start anew in the place of the run that --out holds")
    .option(
      "--budget <time>",
      "choose training.num_epochs so that the run takes about this long: 45m, 2h",
    )
    .option(
      "--weights <file>",
      "start anew from these weights: a file (.safetensors, .pth), a published model's folder, or a run's",
    )
    .option("--dashboard [port]", "serve a page with live curves on this machine")
    .option(
      "--dashboard-host <address>",
      "let the page be reached at another address of this machine",
    )
    .addHelpText(
      "after",
      "\nAny key of the configuration: --optimizer.lr 1e-3, --data.path DIR (docs/configuration.md)",
    )
    .configureOutput({
      writeOut: (text) => screen?.print(text.trimEnd()),
      writeErr: (text) => screen?.say(text.trimEnd()),
    });
  command.exitOverride((error) => {
    if (screen) throw error;
    const why = shown(error.message.replace(/^error: /, ""));
    throw new HatchlingError(`Expected arguments of a run but found others: ${why}`);
  });
  command.parse(rest, { from: "user" });
  const [file] = command.args;
  return { file, overrides, options: command.opts<Options>() };
}

/** What commander makes of the command line. */
interface Options extends Omit<Arguments, "file" | "config" | "given" | "dashboard"> {
  dashboard?: string | true;
  dashboardHost?: string;
}

function refuseBoth<T extends object>(options: T, one: keyof T & string, other: keyof T & string) {
  if (options[one] && options[other]) {
    throw new HatchlingError(`Expected --${one} or --${other} but found both: choose one`);
  }
}
