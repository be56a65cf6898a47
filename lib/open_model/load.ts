/**
 * A model from a run's folder, a checkpoint or a file of weights.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { type Config, type Override, parseConfig } from "../config.ts";
import { HatchlingError } from "../errors.ts";
import { isCheckpoint, readCheckpoint } from "../io/checkpoint.ts";
import { readConfig } from "../io/config_file.ts";
import { openSafetensors } from "../io/safetensors_reader.ts";
import { headOf } from "../io/weight_names.ts";
import { type FoundWeights, networkIn, weightsIn, weightsOf } from "../io/weights.ts";
import { type DinoModel, initialize } from "../model.ts";
import { shown } from "../text.ts";
import { exists, firstSound, weightFiles } from "./weight_files.ts";
import { modelOf, networkOf } from "../from_config.ts";
import { forOtherPictures } from "../from_config/evaluation.ts";

/**
 * How to open a model.
 *
 * @category Model
 */
export interface OpenModelOptions {
  /** Configuration to take instead of the one found: a file, or the configuration itself. */
  config?: string | Config;
  /** A checkpoint of the run: its path, or its name in the folder. */
  checkpoint?: string;
  /** Take the student, not the teacher. */
  student?: boolean;
  /** What the command line sets, as of `parseOverrides`. */
  overrides?: readonly Override[];
  /** Told what is passed over because it is damaged. */
  onWarning?: (message: string) => void;
}

/** What is asked for. */
export interface ModelRequest extends OpenModelOptions {
  /** A run's folder, or a safetensors file. */
  path: string;
}

/** A model with its weights. */
export interface LoadedModel {
  /** Its configuration, with the overrides of the command line. */
  config: Config;
  /** The model. */
  model: DinoModel;
  /** Its weights. */
  weights: Map<string, Float32Array>;
  /** Whether the head's are among them; else it has its initial ones. */
  hasHead: boolean;
  /** The loss's centre [K], of a checkpoint. */
  center?: Float32Array;
  /** Whose weights they are, for tables. */
  name: string;
  /** The file that they come from. */
  file: string;
  /** The run's folder, where one was named. */
  folder?: string;
}

/**
 * Loads a model. Of a run's folder: config.yaml and teacher.safetensors, else the teacher of best.safetensors or
 * of the newest checkpoint; those that are damaged are passed over, and said. Of a file: its weights with the
 * configuration that it holds, or that lies beside it.
 *
 * @throws {HatchlingError} When there is no model, or weights and configuration do not fit.
 */
export async function loadModel(request: ModelRequest): Promise<LoadedModel> {
  const { path, student, checkpoint } = request;
  const folder = (await Deno.stat(path).catch(() => undefined))?.isDirectory ? path : undefined;
  if (folder === undefined) {
    if (checkpoint === undefined) return await loadFile(path, request);
    throw new HatchlingError(
      `Expected the folder of a run beside --checkpoint but found ${
        shown(path)
      }: name one of them alone`,
    );
  }
  if (checkpoint !== undefined) {
    return await loadFile(await checkpointIn(folder, checkpoint), request, folder);
  }
  const files = await weightFiles(folder, student ? "student" : "teacher");
  const { onWarning = () => {} } = request;
  return await firstSound(files, (file) => loadFile(file, request, folder), onWarning);
}

/** A checkpoint by its path or by its name in the folder. */
async function checkpointIn(folder: string, checkpoint: string): Promise<string> {
  const inside = join(folder, checkpoint);
  return !(await exists(checkpoint)) && await exists(inside) ? inside : checkpoint;
}

async function loadFile(
  file: string,
  request: ModelRequest,
  folder?: string,
): Promise<LoadedModel> {
  using reader = await openSafetensors(file);
  if (isCheckpoint(reader)) {
    const who = request.student ? "student" : networkIn(reader);
    const state = await readCheckpoint(reader, [who]);
    const config = await configOf(file, state.config, folder, request);
    const model = modelOf(config);
    const found = weightsOf(state, who, file, model.specs());
    const name = `${who} at step ${state.step}`;
    return {
      ...complete(config, model, found),
      center: state.buffers.get("center"),
      name,
      file,
      folder,
    };
  }
  if (request.student && folder === undefined && basename(file) !== "student.safetensors") {
    throw new HatchlingError(
      `Expected a checkpoint or a run's folder beside --student but found the weights ${
        shown(file)
      }: leave it out`,
    );
  }
  const config = await configOf(file, undefined, folder, request);
  const model = modelOf(config);
  const found = await weightsIn(reader, model.specs());
  const name = folder === undefined
    ? basename(file)
    : request.student
    ? "student"
    : networkOf(config);
  return { ...complete(config, model, found), name, file, folder };
}

/** The head is not used: where a file has none, any will do. */
function complete(config: Config, model: DinoModel, { weights, missing }: FoundWeights) {
  const lacking = model.specs().filter(({ name }) => missing.includes(name));
  const all = new Map([...initialize(lacking, 0), ...weights]);
  return { config, model, weights: all, hasHead: !missing.some((name) => headOf(name) === "head") };
}

/** The configuration asked for, else that of a checkpoint, else the one beside the file. */
async function configOf(
  file: string,
  ofCheckpoint: unknown,
  folder: string | undefined,
  { config, overrides = [] }: ModelRequest,
): Promise<Config> {
  const parse = (text: string, from: string) =>
    parseConfig(text, { file: from, overrides: forOtherPictures(overrides) });
  const read = async (path: string) =>
    (await readConfig(path, { overrides: forOtherPictures(overrides) })).config;
  if (typeof config === "string") return await read(config);
  if (config !== undefined) return parse(JSON.stringify(config), "the configuration given");
  if (ofCheckpoint !== undefined) {
    return parse(JSON.stringify(ofCheckpoint), `${file} (its configuration)`);
  }
  const beside = join(folder ?? dirname(file), "config.yaml");
  if (await exists(beside)) return await read(beside);
  throw new HatchlingError(
    `Expected the configuration of the model in ${
      shown(file)
    } but found no config.yaml beside it: name one with --config`,
  );
}
