/**
 * A model from a run's folder, a checkpoint or a file of weights.
 *
 * @module
 */
import { join } from "node:path";
import { type Config, type Override, parseConfig } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import type { Gpu } from "../../lib/gpu/mod.ts";
import { listCheckpoints, loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { readFile } from "../../lib/io/files.ts";
import { readWeights } from "../../lib/io/weights.ts";
import { type DinoModel, initialize, Parameters } from "../../lib/model/mod.ts";
import { modelOf } from "../train/settings.ts";

/** A model with its weights. */
export interface LoadedModel {
  /** The GPU that holds it. */
  gpu: Gpu;
  /** Its configuration, with the overrides of the command line. */
  config: Config;
  /** The model. */
  model: DinoModel;
  /** Its weights. */
  weights: Parameters;
  /** Where they come from, in words. */
  source: string;
}

/**
 * Loads a model. Of a run's folder: config.yaml and teacher.safetensors, or the teacher of the newest checkpoint
 * while there is none. Of a file: its weights, with the configuration beside it, or that of the checkpoint.
 *
 * @param path A folder or a file.
 * @param configPath Configuration to take instead.
 * @throws {HatchlingError} When there is no model, or weights and configuration do not fit.
 */
export async function loadModel(
  path: string,
  configPath: string | undefined,
  overrides: readonly Override[],
  { open }: { open: (limits: "adapter" | "portable") => Promise<Gpu> },
): Promise<LoadedModel> {
  const isFolder = (await Deno.stat(path).catch(() => undefined))?.isDirectory ?? false;
  const file = isFolder ? await weightsIn(path) : path;
  const config = await configOf(file, isFolder ? path : undefined, configPath, overrides);
  const model = modelOf(config);
  const { weights, missing } = await readWeights(file, model.specs());
  const gpu = await open(config.device.limits);
  const params = new Parameters(gpu, model.specs());
  params.load(new Map([...initialize(model.specs(), 0), ...weights]));
  const source = missing.length ? `${file} (no head)` : file;
  return { gpu, config, model, weights: params, source };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function weightsIn(folder: string): Promise<string> {
  const teacher = join(folder, "teacher.safetensors");
  if (await exists(teacher)) return teacher;
  const [newest] = await listCheckpoints(folder);
  if (newest) return newest.path;
  throw new HatchlingError(
    `Expected teacher.safetensors or a checkpoint in ${folder} but found neither: name the folder of a run, or a file`,
  );
}

async function configOf(
  file: string,
  folder: string | undefined,
  configPath: string | undefined,
  overrides: readonly Override[],
): Promise<Config> {
  const beside = join(folder ?? join(file, ".."), "config.yaml");
  const path = configPath ?? (await exists(beside) ? beside : undefined);
  if (path) {
    return parseConfig(new TextDecoder().decode(await readFile(path)), { file: path, overrides });
  }
  if (/checkpoint-|best\.safetensors$/.test(file)) {
    const { config } = await loadCheckpoint(file);
    return parseConfig(JSON.stringify(config), { file: `${file} (its configuration)`, overrides });
  }
  throw new HatchlingError(
    `Expected the configuration of the model in ${file} but found no config.yaml beside it: name one with --config`,
  );
}
