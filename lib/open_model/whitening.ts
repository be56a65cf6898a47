/**
 * Whitenings that lie beside the weights of a run.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { type Readout, readoutName } from "../eval/readout.ts";
import type { Whitening } from "../eval/whiten.ts";
import { encodeWhitening, type WhiteningOf } from "../eval/whitening_file.ts";
import { writeFileAtomic } from "../io/atomic.ts";
import { readFile } from "../io/files.ts";
import { shown } from "../text.ts";
import { many } from "../words.ts";
import type { LoadedModel } from "./load.ts";
import { modelHash } from "./model_hash.ts";
import { exists } from "./weight_files.ts";
import { whiteningFile, whiteningIn } from "./whitening_file.ts";

/**
 * Keeps a whitening in a run's folder.
 *
 * @returns Its path.
 * @throws {HatchlingError} When it cannot be written.
 */
export async function storeWhitening(
  folder: string,
  whitening: Whitening,
  of: WhiteningOf,
): Promise<string> {
  const path = join(folder, whiteningFile(of.feature));
  await writeFileAtomic(path, encodeWhitening(whitening, of));
  return path;
}

/** A whitening with the file that it lies in. */
export interface StoredWhitening {
  /** What was fitted. */
  whitening: Whitening;
  /** Its path. */
  path: string;
}

/**
 * The whitening that was stored with weights. States of a run that are not its result have none: checkpoints, and the
 * student beside a teacher.
 *
 * @param weights The file of the weights.
 * @param of The feature, and the hash of these weights.
 * @returns Undefined where none is stored.
 * @throws {HatchlingError} When it is damaged, or fitted to another feature or to other weights.
 */
export async function storedWhitening(
  weights: string,
  of: WhiteningOf,
): Promise<StoredWhitening | undefined> {
  const folder = dirname(weights), path = join(folder, whiteningFile(of.feature));
  if (!await isResult(weights) || !await exists(path)) return;
  return { whitening: whiteningIn(await readFile(path), path, weights, of), path };
}

/** Whether a file of weights is the result of a run, which whitenings are stored for, not a state on the way to it. */
export async function isResult(weights: string): Promise<boolean> {
  const name = basename(weights);
  if (/^(checkpoint-.*|best)\.safetensors$/.test(name)) return false;
  return name !== "student.safetensors" ||
    !await exists(join(dirname(weights), "teacher.safetensors"));
}

/** A whitening to use, and where it comes from. */
export interface ChosenWhitening {
  /** With the α of the configuration. */
  whitening: Whitening;
  /** Where it comes from, in words. */
  note: string;
}

/**
 * The whitening of a model's features: the one stored with its weights, else one fitted now.
 *
 * @param fit Fits one to the pictures at hand, where none is stored.
 * @throws {HatchlingError} As {@linkcode storedWhitening} and `fit`.
 */
export async function whiteningFor(
  { config, file, weights }: LoadedModel,
  readout: Readout,
  fit: () => Whitening | Promise<Whitening>,
): Promise<ChosenWhitening> {
  const { whiten_alpha: alpha } = config.evaluation;
  const stored = await storedWhitening(file, {
    feature: readoutName(readout),
    model: modelHash(weights, config, readout),
  });
  if (stored) {
    const { whitening, path } = stored;
    const note = `whitened by ${shown(path)}, fitted to ${many(whitening.rows, "picture")}`;
    return { whitening: { ...whitening, alpha }, note };
  }
  const whitening = { ...await fit(), alpha };
  const pictures = many(whitening.rows, "picture");
  const note = `whitened by a fit to ${pictures} at hand, as none is stored with ${shown(file)}`;
  return { whitening, note };
}
