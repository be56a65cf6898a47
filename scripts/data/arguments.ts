/**
 * The command line of `deno task data`.
 *
 * @module
 */
import { join } from "node:path";
import { CommanderError } from "commander";
import {
  type Config,
  givenValues,
  type Override,
  parseConfig,
  parseOverrides,
} from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { readConfig } from "../../lib/io/config_file.ts";
import { parseDuration } from "../../lib/preset.ts";
import { fileError } from "../../lib/io/files.ts";
import { shown } from "../../lib/text.ts";
import { LIMITS, positive, upTo } from "../common/numbers.ts";
import { OUT } from "../common/outputs.ts";
import { ownConfig } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { say } from "../common/terminal.ts";

/** `data check`. */
export interface CheckArguments {
  command: "check";
  folder: string;
  deep: boolean;
  json: boolean;
  config: Config;
}

/** `data stats`. */
export interface StatsArguments {
  command: "stats";
  json: boolean;
  maxImages?: number;
  config: Config;
}

/** `data preview`. */
export interface PreviewArguments {
  command: "preview";
  /** Path of the YAML file, when there is one. */
  file?: string;
  /** The page; made in a folder for results where none is named. */
  out?: string;
  overwrite: boolean;
  images: number;
  epochs: number;
  /** Time that training would have. */
  budget?: string;
  config: Config;
  /** What the file and the command line set by themselves. */
  given: ReadonlyMap<string, unknown>;
}

/** What was asked for. */
export type Arguments = CheckArguments | StatsArguments | PreviewArguments;

/** Something is wrong with the command line, not with the data. */
export class ArgumentError extends HatchlingError {}

/** Where a preview goes by default. */
export const PREVIEW = join(OUT, "preview.html");

/** Pictures times epochs on a page; with the default views they take less than 200 MB. */
const MOST_SHOWN = 200;

const KEYS =
  "\nAny key of the configuration: --data.batch_size 32, --augmentation.global_crop_size 96 " +
  "(docs/configuration.md)";

/**
 * Reads the arguments and the configuration that they name.
 *
 * @returns Undefined when only help was asked for, which is on the screen by then.
 * @throws {ArgumentError} for arguments and configurations that are wrong. What commander has said about it
 * already is an empty message.
 */
export async function readArguments(args: readonly string[]): Promise<Arguments | undefined> {
  const { overrides, rest } = parseOverrides(args);
  let asked: Partial<Arguments> = {}, file: string | undefined, path: string | undefined;
  const given: Override[] = [];
  const program = newCommand("data").description("Looks at pictures before training.")
    .exitOverride().showHelpAfterError("(--help shows what there is)");
  const command = (name: string, summary: string, more = "") =>
    program.command(name).summary(summary).description(summary + more).addHelpText("after", KEYS);
  command(
    "check",
    "Decodes every picture of a folder and tells what it holds.",
    "\nExit status: 0 all is sound, 1 something is damaged or nothing can be used, 2 wrong arguments.",
  )
    .argument("<dir>", "folder of pictures, searched with its sub-folders")
    .option("--deep", "also find files with other bytes but the same pixels")
    .option("--json", "print one object with everything, lists in full")
    .option("--config <file>", "the configuration that advice refers to (default: all defaults)")
    .action((folder, { config, ...options }) => {
      [file, path] = [config, folder];
      given.push({ key: "data.dataset", value: "folder" }, { key: "data.path", value: folder });
      asked = { command: "check", folder, deep: false, json: false, ...options };
    });
  command("stats", "Mean and standard deviation per channel, as lines for the configuration.")
    .argument("[dir]", "folder of pictures, list or module (default: what the configuration names)")
    .option("--channels <n>", "1 gray, 3 colour, 4 colour and alpha: model.in_chans", positive)
    .option(
      "--max-images <n>",
      "take only so many pictures, spread over all",
      upTo(LIMITS.pictures),
    )
    .option("--json", "print one object")
    .option("--config <file>", "YAML file (default: all defaults)")
    .action((folder, { config, channels, ...options }) => {
      [file, path] = [config, folder];
      if (folder !== undefined) given.push({ key: "data.path", value: folder });
      if (channels !== undefined) given.push({ key: "model.in_chans", value: String(channels) });
      asked = { command: "stats", json: false, ...options };
    });
  command(
    "preview",
    "Writes a page that shows pictures and all of their views, as training sees them.",
  )
    .argument("[config]", `YAML file, ${ownConfig("small")} for instance (default: all defaults)`)
    .option("--out <file>", `the page (default: ${PREVIEW})`)
    .option("--overwrite", "replace what is at --out, whoever made it", false)
    .option("--images <n>", "pictures, spread over the data set", positive, 8)
    .option("--epochs <n>", "epochs of each", positive, 2)
    .option("--budget <time>", "show what training would choose for this time: 45m, 2h")
    .action((config, options) => {
      file = config;
      asked = { command: "preview", file, ...options };
    });
  try {
    program.parse(rest, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    throw new ArgumentError("");
  }
  if (asked.command === "preview" && asked.images! * asked.epochs! > MOST_SHOWN) {
    throw new ArgumentError(
      `Expected --images × --epochs of at most ${MOST_SHOWN} but found ${asked.images} × ` +
        `${asked.epochs}: a browser has to show them all, make several pages with --out`,
    );
  }
  try {
    if (asked.command === "preview" && asked.budget !== undefined) parseDuration(asked.budget);
    if (path !== undefined) await requirePath(path, asked.command === "check");
    const options = {
      overrides: [...given, ...overrides],
      // Only a preview shows what training would do.
      ...asked.command === "preview" && { onWarning: (line: string) => say(`warning: ${line}`) },
    };
    const read = file === undefined
      ? { config: parseConfig("{}", options), given: givenValues("{}", options) }
      : await readConfig(file, options);
    return { ...asked, ...read } as Arguments;
  } catch (error) {
    if (error instanceof HatchlingError) throw new ArgumentError(error.message);
    throw error;
  }
}

async function requirePath(path: string, folder: boolean): Promise<void> {
  try {
    const { isDirectory } = await Deno.stat(path);
    if (isDirectory || !folder) return;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw fileError("read", path, error);
    throw new HatchlingError(
      `Expected pictures at ${shown(path)} but there is nothing: check the path`,
    );
  }
  throw new HatchlingError(
    `Expected a folder of pictures but found the file ${
      shown(path)
    }: name the folder that holds it (archives ` +
      `must be unpacked)`,
  );
}
