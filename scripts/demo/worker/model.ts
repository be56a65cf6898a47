/**
 * The model that looks, from files that were dropped.
 *
 * @module
 */
import type { Dataset } from "../../../lib/data/dataset.ts";
import { HatchlingError } from "../../../lib/errors.ts";
import { type EncodedPictures, encodePictures } from "../../../lib/eval/encode.ts";
import { featureEncoder } from "../../../lib/eval/feature_encoder.ts";
import { readoutOf } from "../../../lib/from_config.ts";
import type { Gpu } from "../../../lib/gpu.ts";
import { openWeightsBytes } from "../../../lib/io/weights_source.ts";
import { Parameters, VisionTransformer } from "../../../lib/model.ts";
import { type FoundModel, modelIn } from "../../../lib/open_model/model_in.ts";
import { count } from "../../../lib/words.ts";
import type { GivenFile, ModelFacts } from "../protocol.ts";

/** Files of weights, the ones to take first. */
const ORDER = [
  /(^|\/)teacher\.safetensors$/,
  /(^|\/)student\.safetensors$/,
  /\.safetensors$/,
  /\.(pth|pt|bin)$/,
];

/** What of a model is needed to look with it. */
export type Looking = Pick<FoundModel, "config" | "model" | "name">;

/** A model with its weights on the GPU. */
export class LoadedModel {
  /** The model and its configuration. */
  readonly found: Looking;
  /** Its weights on the GPU. */
  readonly params: Parameters;
  /** What is said about it. */
  readonly notes: readonly string[];
  readonly #gpu: Gpu;
  readonly #owned: boolean;

  private constructor(
    gpu: Gpu,
    found: Looking,
    params: Parameters,
    { notes, owned }: { notes: readonly string[]; owned: boolean },
  ) {
    this.#gpu = gpu;
    this.found = found;
    this.params = params;
    this.notes = notes;
    this.#owned = owned;
  }

  /**
   * Loads what was dropped: a file of weights or a checkpoint, a `config.yaml` beside it where there is one. Of a
   * run's folder the teacher is taken.
   *
   * @throws {HatchlingError} When there are no weights, or they fit no model.
   */
  static async load(gpu: Gpu, files: readonly GivenFile[]): Promise<LoadedModel> {
    const weights = ORDER.flatMap((kind) => files.filter(({ name }) => kind.test(name)))[0];
    if (!weights) {
      throw new HatchlingError(
        "Expected weights, a file .safetensors, .pth, .pt or .bin, but found " +
          (files.map(({ name }) => name).slice(0, 3).join(", ") || "nothing"),
      );
    }
    const yaml = files.find(({ name }) => /\.ya?ml$/.test(name));
    const notes: string[] = [];
    const bytes = new Uint8Array(await weights.file.arrayBuffer());
    using reader = await openWeightsBytes(bytes, weights.name);
    const found = await modelIn(reader, {
      beside: async () => yaml && { text: await yaml.file.text(), name: yaml.name },
      onNote: (note) => notes.push(note),
    });
    const params = new Parameters(gpu, found.model.specs());
    params.load(found.weights);
    return new LoadedModel(gpu, found, params, { notes, owned: true });
  }

  /** The network of a run that goes on: its weights stay the run's. */
  static ofRun(gpu: Gpu, found: Looking, params: Parameters): LoadedModel {
    return new LoadedModel(gpu, found, params, { notes: [], owned: false });
  }

  /** Features as the configuration reads them out. */
  async encode(
    dataset: Dataset,
    indices: ArrayLike<number>,
    onProgress: (done: number) => void,
  ): Promise<EncodedPictures> {
    const { config, model, name } = this.found;
    const { augmentation, evaluation, training } = config;
    const readout = readoutOf(config);
    const encoder = featureEncoder(this.#gpu, name, model.backbone, this.params, readout);
    const [encoded] = await encodePictures(this.#gpu, dataset, indices, [encoder], {
      batchSize: evaluation.batch_size,
      seed: training.seed,
      views: false,
      mean: [...augmentation.normalize_mean],
      std: [...augmentation.normalize_std],
      onProgress,
    });
    return encoded;
  }

  /** What it is, in words. */
  facts(): ModelFacts {
    const { model: { backbone }, name } = this.found;
    const millions = count(
      backbone.specs().reduce((sum, { shape }) => {
        return sum + shape.reduce((a, b) => a * b, 1);
      }, 0),
    );
    const is = backbone instanceof VisionTransformer ? backbone.config : undefined;
    return {
      name,
      words: is
        ? `vision transformer: ${is.depth} blocks of ${is.dim}, ${is.heads} heads, patches of ${is.patchSize} px, ` +
          `pictures of ${is.imageSize} px, ${millions} parameters`
        : `ResNet: pictures of ${backbone.imageSize} px, ${millions} parameters`,
      imageSize: backbone.imageSize,
      patch: is?.patchSize,
      heads: is?.heads,
      notes: [...this.notes],
    };
  }

  /** Frees its weights, unless they are those of a run. */
  destroy(): void {
    if (this.#owned) this.params.destroy();
  }
}
