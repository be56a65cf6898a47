/**
 * Models on a disk.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { parseConfig } from "../config.ts";
import { readFile } from "../io/files.ts";
import { loadModel } from "../open_model/load.ts";
import { exists } from "../open_model/weight_files.ts";
import type { SourcedModel, SourceOptions } from "./types.ts";

/** Reads a model as the project's commands do. */
export async function readFromDisk(
  path: string,
  { config, part, onNote }: SourceOptions,
): Promise<SourcedModel> {
  const loaded = await loadModel({
    path: part === undefined ? path : `${path}#${part}`,
    config: typeof config === "string"
      ? parseConfig(config, { file: "the configuration given" })
      : config,
    onNote,
    onWarning: onNote,
  });
  const beside = async (name: string) => {
    const file = join(dirname(loaded.file), name);
    return await exists(file) ? await readFile(file) : undefined;
  };
  return { ...loaded, beside };
}
