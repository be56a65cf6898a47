/**
 * A model from a run's folder, a checkpoint or a file of weights.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { type Config, type Override, parseConfig } from "../config.ts";
import { HatchlingError } from "../errors.ts";
import { readCheckpoint } from "../io/checkpoint.ts";
import { readConfig, readConfigText } from "../io/config_file.ts";
import { headOf } from "../io/weight_names.ts";
import {
  type FoundWeights,
  isOwnCheckpoint,
  networkIn,
  weightsIn,
  weightsOf,
} from "../io/weights.ts";
import { openWeightsFile, type WeightsFile } from "../io/weights_file.ts";
import { type DinoModel, initialize } from "../model.ts";
import { shown } from "../text.ts";
import { count } from "../words.ts";
import { recognise } from "./recognise.ts";
import { foundWords, recognisedLine } from "./report.ts";
import { resampleGrid } from "./resample.ts";
import { exists, firstSound, weightFiles } from "./weight_files.ts";
import { namedWeights, networkOfRun } from "./weights_path.ts";
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
  /** Told what a file without a configuration holds, and what of it is taken. */
  onNote?: (message: string) => void;
}

/** What is asked for. */
export interface ModelRequest extends OpenModelOptions {
  /** A run's folder, a file of weights, or the folder of a published model; `#student` behind it names a part. */
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
 * configuration that it holds, or that lies beside it; else with the shape that its tensors have.
 *
 * @throws {HatchlingError} When there is no model, or weights and configuration do not fit.
 */
export async function loadModel(request: ModelRequest): Promise<LoadedModel> {
  const { checkpoint } = request;
  const { path, isRun, part } = await namedWeights(request.path);
  if (!isRun) {
    if (checkpoint === undefined) return await loadFile(path, { ...request, part });
    throw new HatchlingError(
      `Expected the folder of a run beside --checkpoint but found ${
        shown(path)
      }: name one of them alone`,
    );
  }
  const student = request.student || networkOfRun(path, part) === "student";
  request = { ...request, student };
  if (checkpoint !== undefined) {
    return await loadFile(await checkpointIn(path, checkpoint), request, path);
  }
  const files = await weightFiles(path, student ? "student" : "teacher");
  const { onWarning = () => {} } = request;
  return await firstSound(files, (file) => loadFile(file, request, path), onWarning);
}

/** What is asked for of one file. */
interface FileRequest extends ModelRequest {
  /** Which network in it. */
  part?: string;
}

/** A checkpoint by its path or by its name in the folder. */
async function checkpointIn(folder: string, checkpoint: string): Promise<string> {
  const inside = join(folder, checkpoint);
  return !(await exists(checkpoint)) && await exists(inside) ? inside : checkpoint;
}

async function loadFile(
  file: string,
  request: FileRequest,
  folder?: string,
): Promise<LoadedModel> {
  using reader = await openWeightsFile(file);
  const { part, student } = request;
  if (isOwnCheckpoint(reader)) {
    const who = networkIn(reader, student ? "student" : part);
    const state = await readCheckpoint(reader, [who]);
    const config = await configOf(reader, state.config, folder, request);
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
  if (student && folder === undefined && basename(file) !== "student.safetensors") {
    throw new HatchlingError(
      `Expected a checkpoint or a run's folder beside --student but found the weights ${
        shown(file)
      }: leave it out, or name a part of the file, ${shown(file)}#student`,
    );
  }
  const config = await configOf(reader, undefined, folder, request);
  const model = modelOf(config);
  const found = await weightsIn(reader, model.specs(), {
    part,
    resample: (values, sizes) => resampleGrid(values, sizes, config.model.pos_interp),
  });
  if (folder === undefined) {
    const words = foundWords({ ...found, missing: [] }, config);
    request.onNote?.([`${count(found.weights.size)} tensors taken`, ...words].join("; "));
  }
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

/** The configuration asked for, else that of a checkpoint, else the one beside the file; else what the file tells. */
async function configOf(
  reader: WeightsFile,
  ofCheckpoint: unknown,
  folder: string | undefined,
  { config, overrides: given = [], part, onNote }: FileRequest,
): Promise<Config> {
  const { file } = reader, overrides = forOtherPictures(given);
  const parse = (text: string, name: string) => parseConfig(text, { file: name, overrides });
  if (config !== undefined && typeof config !== "string") {
    return parse(JSON.stringify(config), "the configuration given");
  }
  if (config === undefined && ofCheckpoint !== undefined) {
    return parse(JSON.stringify(ofCheckpoint), `${file} (its configuration)`);
  }
  const beside = join(folder ?? dirname(file), "config.yaml");
  const isOwn = ofCheckpoint !== undefined || folder !== undefined;
  if (config === undefined && (isOwn || await exists(beside))) {
    return (await readConfig(beside, { overrides })).config;
  }
  if (isOwn) return (await readConfig(config!, { overrides })).config;
  const text = config === undefined ? undefined : await readConfigText(config);
  const options = { text, name: config, overrides, part, inUse: true };
  const { found, config: whole } = await recognise(reader, options);
  onNote?.(recognisedLine(file, found, whole));
  return whole;
}
