/**
 * A model from a run's folder, a checkpoint or a file of weights.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import type { Config, Override } from "../config.ts";
import { HatchlingError } from "../errors.ts";
import { forOtherPictures } from "../from_config/evaluation.ts";
import { readConfigText } from "../io/config_file.ts";
import { isOwnCheckpoint } from "../io/weights.ts";
import { openWeightsFile } from "../io/weights_file.ts";
import { shown } from "../text.ts";
import { type FoundModel, modelIn } from "./model_in.ts";
import { exists, firstSound, weightFiles } from "./weight_files.ts";
import { namedWeights, networkOfRun } from "./weights_path.ts";

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
  /** What the command line sets, as of `parseOverrides`; without one, messages name no options of commands. */
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

/** A model from the disk. */
export interface LoadedModel extends FoundModel {
  /** The file that its weights come from. */
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
      `Expected the folder of a run beside ${optionName("checkpoint", request)} but found ${
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

/** An option as the caller knows it: of a command, or of {@linkcode OpenModelOptions}. */
const optionName = (name: string, { overrides }: OpenModelOptions) =>
  overrides ? `--${name}` : `the option ${name}`;

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
  const { config, part, student, onNote, overrides } = request;
  const ofRun = folder !== undefined;
  if (student && !ofRun && !isOwnCheckpoint(reader) && basename(file) !== "student.safetensors") {
    throw new HatchlingError(
      `Expected a checkpoint or a run's folder beside ${
        optionName("student", request)
      } but found the weights ${shown(file)}: leave it out, or name a part of the file, ${
        shown(file)
      }#student`,
    );
  }
  const beside = join(folder ?? dirname(file), "config.yaml");
  const found = await modelIn(reader, {
    config: typeof config === "string" ? await textAt(config) : config,
    beside: async () => ofRun || await exists(beside) ? await textAt(beside) : undefined,
    ofRun,
    part,
    student,
    overrides: overrides && forOtherPictures(overrides),
    onNote,
  });
  return { ...found, file, folder };
}

const textAt = async (path: string) => ({ text: await readConfigText(path), name: path });
