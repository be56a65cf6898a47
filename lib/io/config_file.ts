/**
 * Configurations in files.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { type Config, givenValues, parseConfig, type ParseConfigOptions } from "../config.ts";
import { nearest } from "../config/suggest.ts";
import { MAX_CONFIG_BYTES } from "../config/yaml.ts";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
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
 * @throws {HatchlingError} When it is no regular file, too large for a configuration, or in an unknown encoding; of
 * one that is not there with the file that is likely meant.
 */
export async function readConfigText(path: string): Promise<string> {
  try {
    return decodeText(await readFile(path, { maxBytes: 2 * MAX_CONFIG_BYTES }), path);
  } catch (error) {
    const { cause, message } = error as Error;
    const meant = cause instanceof Deno.errors.NotFound ? await likelyFile(path) : undefined;
    if (meant === undefined) throw error;
    throw new HatchlingError(`${message}; did you mean ${shown(meant)}?`, { cause });
  }
}

/** The configuration of a near name in the same folder. */
async function likelyFile(path: string): Promise<string | undefined> {
  const ending = /\.ya?ml$/i, folder = dirname(path), names: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (!isDirectory && ending.test(name)) names.push(name);
    }
  } catch {
    return; // no such folder either, or it may not be read
  }
  const stem = (name: string) => name.replace(ending, "");
  const near = nearest(stem(basename(path)), names.sort().map(stem));
  return near && join(folder, names.find((name) => stem(name) === near)!);
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
