/**
 * A model from a run's folder, a checkpoint or a file of weights.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { type Config, type Override, parseConfig } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import {
  type CheckpointState,
  decodeCheckpoint,
  listCheckpoints,
} from "../../lib/io/checkpoint.ts";
import { readFile } from "../../lib/io/files.ts";
import { parseSafetensors } from "../../lib/io/safetensors.ts";
import { readWeights } from "../../lib/io/weights.ts";
import { type DinoModel, initialize } from "../../lib/model/mod.ts";
import { modelOf } from "../train/settings.ts";
import { forOtherPictures } from "./settings.ts";

/** What is asked for. */
export interface ModelRequest {
  /** A run's folder, or a safetensors file. */
  path: string;
  /** Configuration to take instead of the one found. */
  config?: string;
  /** A checkpoint of the run: its path, or its name in the folder. */
  checkpoint?: string;
  /** Take the student, not the teacher. */
  student?: boolean;
  /** What the command line sets. */
  overrides: readonly Override[];
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
 * of the newest checkpoint. Of a file: its weights with the configuration that it holds, or that lies beside it.
 *
 * @throws {HatchlingError} When there is no model, or weights and configuration do not fit.
 */
export async function loadModel(request: ModelRequest): Promise<LoadedModel> {
  const { path, student = false } = request;
  const folder = (await Deno.stat(path).catch(() => undefined))?.isDirectory ? path : undefined;
  if (request.checkpoint && folder === undefined) {
    throw new HatchlingError(
      `Expected the folder of a run beside --checkpoint but found ${path}: name one of them alone`,
    );
  }
  const file = folder === undefined ? path : await fileIn(folder, student, request.checkpoint);
  const state = await checkpointIn(file);
  const config = await configOf(file, state, folder, request);
  const model = modelOf(config);
  const specs = model.specs();
  const who = student ? "student" : "teacher";
  if (!state) {
    if (student && folder === undefined && basename(file) !== "student.safetensors") {
      throw new HatchlingError(
        `Expected a checkpoint or a run's folder beside --student but found the weights ${file}: leave it out`,
      );
    }
    const { weights, missing } = await readWeights(file, specs);
    const name = folder === undefined ? basename(file) : who;
    const all = complete(model, weights);
    return { config, model, weights: all, hasHead: !missing.length, name, file, folder };
  }
  const weights = state[who];
  for (const { name, shape } of specs) {
    const found = state.shapes.get(name);
    if (found?.join() !== shape.join()) {
      throw new HatchlingError(
        `Expected ${name} [${shape.join(", ")}] in ${file} but found ${
          found ? `[${found.join(", ")}]` : "none"
        }: leave out --config and overrides of the model, the checkpoint has its own`,
      );
    }
  }
  const name = `${who} at step ${state.step}`;
  return { config, model, weights, hasHead: true, center: state.center, name, file, folder };
}

/** The head is not used: where a file has none, any will do. */
function complete(model: DinoModel, weights: Map<string, Float32Array>) {
  return new Map([...initialize(model.specs(), 0), ...weights]);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function fileIn(folder: string, student: boolean, checkpoint?: string): Promise<string> {
  if (checkpoint) {
    const inside = join(folder, checkpoint);
    return !(await exists(checkpoint)) && await exists(inside) ? inside : checkpoint;
  }
  const names = [student ? "student.safetensors" : "teacher.safetensors", "best.safetensors"];
  for (const name of names) {
    const path = join(folder, name);
    if (await exists(path)) return path;
  }
  const [newest] = await listCheckpoints(folder);
  if (newest) return newest.path;
  throw new HatchlingError(
    `Expected ${
      names[0]
    } or a checkpoint in ${folder} but found neither: name the folder of a run, or a file`,
  );
}

/** What a file holds if it is a checkpoint. */
async function checkpointIn(file: string): Promise<CheckpointState | undefined> {
  const bytes = await readFile(file);
  const { metadata } = parseSafetensors(bytes, file);
  if (metadata.format === "hatchling-checkpoint") return await decodeCheckpoint(bytes, file);
}

async function configOf(
  file: string,
  state: CheckpointState | undefined,
  folder: string | undefined,
  { config, overrides }: ModelRequest,
): Promise<Config> {
  const parse = (text: string, from: string) =>
    parseConfig(text, { file: from, overrides: forOtherPictures(overrides) });
  const read = async (path: string) => parse(new TextDecoder().decode(await readFile(path)), path);
  if (config !== undefined) return await read(config);
  if (state) return parse(JSON.stringify(state.config), `${file} (its configuration)`);
  const beside = join(folder ?? dirname(file), "config.yaml");
  if (await exists(beside)) return await read(beside);
  throw new HatchlingError(
    `Expected the configuration of the model in ${file} but found no config.yaml beside it: name one with --config`,
  );
}
