/**
 * The model in an open file of weights. Nothing here needs a disk.
 *
 * @module
 */
import { type Config, type Override, parseConfig } from "../config.ts";
import { HatchlingError } from "../errors.ts";
import { modelOf, networkOf } from "../from_config/model.ts";
import { readCheckpoint } from "../io/checkpoint_format.ts";
import type { WeightsFile } from "../io/tensor_file.ts";
import { headOf } from "../io/weight_names.ts";
import {
  type FoundWeights,
  isOwnCheckpoint,
  networkIn,
  weightsIn,
  weightsOf,
} from "../io/weights.ts";
import { type DinoModel, initialize } from "../model.ts";
import { shown } from "../text.ts";
import { count } from "../words.ts";
import { recognise } from "./recognise.ts";
import { foundWords, recognisedLine } from "./report.ts";
import { resampleGrid } from "./resample.ts";

/** A text of a configuration. */
export interface ConfigText {
  /** YAML. */
  text: string;
  /** How messages call it. */
  name: string;
}

/** What is known beside the file. */
export interface ModelInOptions {
  /** A configuration that was given: it comes before that of a checkpoint. */
  config?: Config | ConfigText;
  /** The `config.yaml` that lies beside the file; of a run's file it has to be there. */
  beside?: () => Promise<ConfigText | undefined>;
  /** The file is of a run's folder. */
  ofRun?: boolean;
  /** Which network in it. */
  part?: string;
  /** Take the student, not the teacher. */
  student?: boolean;
  /** What the command line sets, where there is one. */
  overrides?: readonly Override[];
  /** Told what a file without a configuration holds, and what of it is taken. */
  onNote?: (message: string) => void;
}

/** A model with its weights, wherever they come from. */
export interface FoundModel {
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
}

/**
 * Reads the model in a file of weights, with the configuration that was given, that a checkpoint holds, or that lies
 * beside the file; else with the shape that its tensors have.
 *
 * @throws {HatchlingError} When there is no model, or weights and configuration do not fit.
 */
export async function modelIn(reader: WeightsFile, options: ModelInOptions): Promise<FoundModel> {
  const { ofRun, part, student } = options;
  if (isOwnCheckpoint(reader)) {
    const who = networkIn(reader, student ? "student" : part);
    const state = await readCheckpoint(reader, [who]);
    const config = await configOf(reader, state.config, options);
    const model = modelOf(config);
    const found = weightsOf(state, who, reader.file, model.specs());
    const name = `${who} at step ${state.step}`;
    return { ...complete(config, model, found), center: state.buffers.get("center"), name };
  }
  const config = await configOf(reader, undefined, options);
  const model = modelOf(config);
  const found = await weightsIn(reader, model.specs(), {
    part,
    resample: (values, sizes) => resampleGrid(values, sizes, config.model.pos_interp),
  });
  if (!ofRun) {
    const words = foundWords({ ...found, missing: [] }, config);
    options.onNote?.([`${count(found.weights.size)} tensors taken`, ...words].join("; "));
  }
  const name = ofRun ? student ? "student" : networkOf(config) : lastName(reader.file);
  return { ...complete(config, model, found), name };
}

const lastName = (path: string) => path.split(/[/\\]/).at(-1) || path;

/** The head is not used: where a file has none, any will do. */
function complete(config: Config, model: DinoModel, { weights, missing }: FoundWeights) {
  const lacking = model.specs().filter(({ name }) => missing.includes(name));
  const all = new Map([...initialize(lacking, 0), ...weights]);
  return { config, model, weights: all, hasHead: !missing.some((name) => headOf(name) === "head") };
}

const isText = (config: Config | ConfigText): config is ConfigText =>
  typeof (config as ConfigText).text === "string";

/** The configuration asked for, else that of a checkpoint, else the one beside the file; else what the file tells. */
async function configOf(
  reader: WeightsFile,
  ofCheckpoint: unknown,
  { config, beside, ofRun, overrides, part, onNote }: ModelInOptions,
): Promise<Config> {
  const parse = ({ text, name }: ConfigText) => parseConfig(text, { file: name, overrides });
  const parseJson = (value: unknown, name: string) => parse({ text: JSON.stringify(value), name });
  if (config !== undefined && !isText(config)) return parseJson(config, "the configuration given");
  if (config === undefined && ofCheckpoint !== undefined) {
    return parseJson(ofCheckpoint, `${reader.file} (its configuration)`);
  }
  const found = config ?? await beside?.();
  if (found && (ofRun || ofCheckpoint !== undefined || config === undefined)) return parse(found);
  if (ofRun) {
    throw new HatchlingError(
      `Expected config.yaml beside ${
        shown(reader.file)
      }, a file of a run, but found none: name the configuration`,
    );
  }
  const options = { text: found?.text, name: found?.name, overrides, part, inUse: true };
  const { found: model, config: whole } = await recognise(reader, options);
  onNote?.(recognisedLine(reader.file, model, whole));
  return whole;
}
