/**
 * Weights to start from: what they say of the model, and what of them is taken.
 *
 * @module
 */
import { basename } from "node:path";
import type { Config, ParseConfigOptions } from "../../lib/config.ts";
import { type ConfigFile, readConfig, readConfigText } from "../../lib/io/config_file.ts";
import { isOwnCheckpoint, readWeights } from "../../lib/io/weights.ts";
import { openWeightsFile } from "../../lib/io/weights_file.ts";
import type { DinoModel } from "../../lib/model.ts";
import { recognise } from "../../lib/open_model/recognise.ts";
import { foundWords, recognisedLine } from "../../lib/open_model/report.ts";
import { resampleGrid } from "../../lib/open_model/resample.ts";
import { firstSound, weightFiles } from "../../lib/open_model/weight_files.ts";
import { namedWeights, networkOfRun } from "../../lib/open_model/weights_path.ts";
import { shown } from "../../lib/text.ts";
import { many } from "../../lib/words.ts";
import { say } from "../common/terminal.ts";
import type { RunFolder } from "./run_folder.ts";

/**
 * Reads a configuration beside the weights of a run that starts from some: their shape sets what it leaves open.
 *
 * @throws {HatchlingError} When it says something else than the file, naming each key.
 */
export async function readConfigWith(
  weights: string | undefined,
  path: string,
  options: Omit<ParseConfigOptions, "file">,
): Promise<ConfigFile> {
  const named = weights === undefined ? undefined : await namedWeights(weights);
  if (!named || named.isRun) return await readConfig(path, options);
  using reader = await openWeightsFile(named.path);
  if (isOwnCheckpoint(reader)) return await readConfig(path, options);
  const text = await readConfigText(path);
  const { part } = named;
  const { found, ...read } = await recognise(reader, { text, name: path, part, ...options });
  say(recognisedLine(named.path, found, read.config));
  return read;
}

/** Weights of a file; of a run's folder those of its teacher, as sound as they are to be had. Says what was found. */
export async function givenWeights(
  weights: string,
  folder: RunFolder,
  model: DinoModel,
  config: Config,
): Promise<Map<string, Float32Array>> {
  const { path: named, isRun, part } = await namedWeights(weights);
  const at = await folder.where(named);
  const files = isRun ? await weightFiles(at, networkOfRun(named, part)) : [at];
  const { path, found } = await firstSound(files, async (path) => {
    const isAll = isRun && (part !== "student" || basename(path) === "student.safetensors");
    const found = await readWeights(path, model.specs(), {
      part: isAll ? undefined : part, // a checkpoint holds both networks
      resample: (values, sizes) => resampleGrid(values, sizes, config.model.pos_interp),
    });
    return { path, found };
  }, (message) => say(`warning: ${message}`));
  const taken = `starting from ${many(found.weights.size, "tensor")} of ${shown(path)}`;
  say([taken, ...foundWords(found, config)].join("; "));
  return found.weights;
}
