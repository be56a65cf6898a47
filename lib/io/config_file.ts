/**
 * Configurations in files.
 *
 * @module
 */

import { type Config, givenValues, parseConfig, type ParseConfigOptions } from "../config.ts";
import { MAX_CONFIG_BYTES } from "../config/yaml.ts";
import { readFile } from "./files.ts";
import { decodeText } from "./text_file.ts";

/** A configuration, and what its file says by itself. */
export interface ConfigFile {
  /** Every key. */
  config: Config;
  /** What file and overrides set by themselves, by `section.key`. */
  given: Map<string, unknown>;
}

/**
 * Reads the text of a configuration. UTF-16 with a byte order mark takes twice the bytes.
 *
 * @throws {HatchlingError} When it is no regular file, too large for a configuration, or in an unknown encoding.
 */
export async function readConfigText(path: string): Promise<string> {
  return decodeText(await readFile(path, { maxBytes: 2 * MAX_CONFIG_BYTES }), path);
}

/**
 * Reads a configuration: the one way of every command that is given a YAML file.
 *
 * @param path The file, which errors name.
 * @param options Overrides of the command line, and where warnings go.
 * @throws {HatchlingError} When the file cannot be read, or listing everything that is wrong in it.
 *
 * @example
 * ```ts
 * import { readConfig } from "./config_file.ts";
 *
 * const { config, given } = await readConfig("configs/tiny.yaml");
 * console.assert(config.data.batch_size === 8 && given.has("data.batch_size"));
 * ```
 */
export async function readConfig(
  path: string,
  options: Omit<ParseConfigOptions, "file"> = {},
): Promise<ConfigFile> {
  const text = await readConfigText(path);
  const config = parseConfig(text, { ...options, file: path });
  return { config, given: givenValues(text, options) };
}
