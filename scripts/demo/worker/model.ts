/**
 * The model that looks, from files that were dropped.
 *
 * @module
 */
import { HatchlingError } from "../../../lib/errors.ts";
import type { Gpu } from "../../../lib/gpu.ts";
import { PictureModel } from "../../../lib/load.ts";
import { readModel } from "../../../lib/load/source.ts";
import { VisionTransformer } from "../../../lib/model.ts";
import { count } from "../../../lib/words.ts";
import type { GivenFile, ModelFacts } from "../protocol.ts";
import type { TabRun } from "./training.ts";

/** Files of weights, the ones to take first. */
const ORDER = [
  /(^|\/)teacher\.safetensors$/,
  /(^|\/)student\.safetensors$/,
  /(^|\/)best\.safetensors$/,
  /(^|\/)(?!whitening-)[^/]*\.safetensors$/,
  /\.(pth|pt|bin)$/,
];

/**
 * Loads what was dropped: a file of weights or a checkpoint, with a `config.yaml` beside it where there is one. Of a
 * run's folder the teacher is taken.
 *
 * @returns The model, and what was said about it.
 * @throws {HatchlingError} When there are no weights, or they fit no model.
 */
export async function loadFiles(
  gpu: Gpu,
  files: readonly GivenFile[],
): Promise<{ model: PictureModel; notes: string[] }> {
  const newest = files.toSorted((a, b) => a.name < b.name ? 1 : -1); // of checkpoints the last one
  const weights = ORDER.flatMap((kind) => newest.filter(({ name }) => kind.test(name)))[0];
  if (!weights) {
    throw new HatchlingError(
      "Expected weights, a file .safetensors, .pth, .pt or .bin, but found " +
        (files.map(({ name }) => name).slice(0, 3).join(", ") || "nothing"),
    );
  }
  const yaml = files.find(({ name }) => /\.ya?ml$/.test(name)), notes: string[] = [];
  const config = await yaml?.file.text();
  const named = new File([weights.file], weights.name.replace(/^.*\//, ""));
  const found = await readModel(named, { config, onNote: (note) => notes.push(note) });
  const beside = async (name: string) => {
    const file = files.find((file) => file.name.endsWith(name))?.file;
    return file && new Uint8Array(await file.arrayBuffer());
  };
  return { model: new PictureModel(gpu, { ...found, beside }, false), notes };
}

/** The network of a run as it is now. */
export async function modelOfRun(gpu: Gpu, run: TabRun): Promise<PictureModel> {
  const { config, trainer, step } = run, name = `the run in this tab, step ${step}`;
  const weights = new Map(await trainer.evaluated.save());
  const found = { config, model: trainer.model, weights, hasHead: true, name, file: name };
  return new PictureModel(gpu, { ...found, beside: () => Promise.resolve(undefined) }, false);
}

/** What a model is, in words. */
export function factsOf({ model: { backbone }, name }: PictureModel, notes: string[]): ModelFacts {
  const sizes = backbone.specs().map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  const parameters = count(sizes.reduce((a, b) => a + b, 0));
  const is = backbone instanceof VisionTransformer ? backbone.config : undefined;
  const words = is
    ? `vision transformer, ${is.depth} blocks of ${is.dim}, ${is.heads} heads, patches of ${is.patchSize} px`
    : "ResNet";
  return {
    name,
    words: `${words}, pictures of ${backbone.imageSize} px, ${parameters} parameters`,
    imageSize: backbone.imageSize,
    patch: is?.patchSize,
    heads: is?.heads,
    notes,
  };
}
