/**
 * What a rank is told to train, with what is its own.
 *
 * @module
 */
import {
  type Config,
  givenValues,
  type Override,
  parseConfig,
  stringifyConfig,
} from "../../../lib/config.ts";
import { withBatch } from "../../../lib/plan/remedies.ts";
import { readConfigText } from "../../../lib/io/config_file.ts";
import { parseArguments } from "../arguments.ts";
import { OWN_SETTINGS } from "./same.ts";

/**
 * What the file and the command line of this rank set. The weights to start from, which complete the configuration,
 * are rank 0's alone: nothing is read of them.
 *
 * @throws {HatchlingError} When the command line asks for no run, the file cannot be read, or a key is unknown.
 */
export async function settingsSaid(args: readonly string[]): Promise<Map<string, unknown>> {
  const { file, overrides } = parseArguments(args);
  return givenValues(await readConfigText(file), { file, overrides, strict: true });
}

/** The configuration of rank 0, with what is about this rank's machine. */
export function ownConfig(config: Config, said: ReadonlyMap<string, unknown>): Config {
  const overrides = OWN_SETTINGS.flatMap((key): Override[] => {
    const value = said.get(key);
    if (value === undefined) return [];
    return [{ key, value: typeof value === "string" ? value : JSON.stringify(value) }];
  });
  return parseConfig(stringifyConfig(config), { file: "the configuration of rank 0", overrides });
}

/** The configuration as one rank's memory sees it: its share of every batch. */
export function shareOf(config: Config, ranks: number): Config {
  return withBatch(config, config.data.batch_size / ranks);
}
