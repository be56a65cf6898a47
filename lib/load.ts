/**
 * A model from anywhere, and features of pictures: in Deno, Node, Bun and a page.
 *
 * What reads the file, its configuration and pictures is imported when it is needed.
 *
 * @example
 * ```ts ignore
 * import { load } from "@hatchling/hatchling/load";
 *
 * using model = await load("runs/a"); // or a file of weights, an address, a File that was dropped
 * const features = await model.features(await Deno.readFile("cat.jpg"));
 * console.log(features.length, features);
 * ```
 *
 * @module
 */
import type { Config } from "./config.ts";
import { inMemory } from "./data/in_memory.ts";
import { asPicture, type InterleavedPicture } from "./data/function_dataset.ts";
import type { Picture } from "./data/image.ts";
import type { DecodeChannels } from "./data/decode.ts";
import { HatchlingError } from "./errors.ts";
import { featureEncoder } from "./eval/feature_encoder.ts";
import { readoutName } from "./eval/readout.ts";
import { Whitener } from "./eval/whiten.ts";
import { readoutOf } from "./from_config/readout.ts";
import { type Gpu, openGpu } from "./gpu.ts";
import { rowsOf } from "./load/rows_of.ts";
import type { ModelSource, SourcedModel, SourceOptions } from "./load/types.ts";
import { type DinoModel, type Feature, Parameters } from "./model.ts";

export type { InterleavedPicture } from "./data/function_dataset.ts";
export type { ModelSource, SourcedModel, SourceOptions } from "./load/types.ts";
export type { FoundModel } from "./open_model/model_in.ts";

/** How {@linkcode load} loads. */
export interface LoadOptions extends SourceOptions {
  /** The GPU to use; by default one is opened, and closed with the model. */
  gpu?: Gpu;
}

/**
 * A picture: the bytes of a PNG, JPEG, GIF or WebP, or what was decoded already. `ImageData` will do.
 *
 * Its transparent parts are white, unless the model has four channels.
 */
export type PictureSource =
  | Uint8Array<ArrayBuffer>
  | ArrayBuffer
  | Blob
  | Picture
  | InterleavedPicture;

/** Which features {@linkcode PictureModel.features} gives. */
export interface FeaturesOptions {
  /** What is read out; by default what the configuration says (`evaluation.feature`). */
  feature?: Feature;
  /** Whiten it, by what lies beside the weights; by default what the configuration says (`evaluation.whiten`). */
  whiten?: boolean;
  /** Scale it to length 1, for cosine similarity; by default it is as the model gives it. */
  normalize?: boolean;
}

/**
 * A model on a GPU that makes features of pictures: what {@linkcode load} gives. Free it with `close()`, or by `using`.
 *
 * @category Model
 */
export class PictureModel {
  /** Its configuration. */
  readonly config: Config;
  /** The model: `model.backbone`, `model.head` the DINO head. */
  readonly model: DinoModel;
  /** Its weights on the GPU, without gradients. */
  readonly params: Parameters;
  /** Whose weights they are: "teacher", or the file's name. */
  readonly name: string;
  /** The GPU. */
  readonly gpu: Gpu;
  readonly #found: SourcedModel;
  readonly #owned: { destroy(): void }[];
  readonly #whiteners = new Map<string, Promise<Whitener>>();

  /** Uploads weights. */
  constructor(gpu: Gpu, found: SourcedModel, ownsGpu: boolean) {
    this.gpu = gpu;
    this.config = found.config;
    this.model = found.model;
    this.name = found.name;
    this.#found = found;
    this.params = new Parameters(gpu, found.model.specs());
    this.params.load(found.weights);
    this.#owned = ownsGpu ? [this.params, gpu] : [this.params];
  }

  /**
   * Features of pictures, as `deno task embed` writes them: of their central squares, at the size and with the
   * normalisation that the model was trained with.
   *
   * @returns D numbers of a picture; of several pictures a list of these.
   * @throws {HatchlingError} When a picture cannot be decoded, features are not finite, or a whitening is asked for
   * and none lies beside the weights.
   */
  async features(picture: PictureSource, options?: FeaturesOptions): Promise<Float32Array>;
  /** The same of several pictures. */
  async features(
    pictures: readonly PictureSource[],
    options?: FeaturesOptions,
  ): Promise<Float32Array[]>;
  async features(
    asked: PictureSource | readonly PictureSource[],
    { feature, whiten, normalize = false }: FeaturesOptions = {},
  ): Promise<Float32Array | Float32Array[]> {
    const { evaluation, model } = this.config;
    const readout = { ...readoutOf(this.config), ...feature && { feature } };
    const encoder = featureEncoder(this.gpu, this.name, this.model.backbone, this.params, readout);
    const whitener = whiten ?? evaluation.whiten ? await this.#whitener(readout) : undefined;
    const all = isList(asked) ? asked : [asked], features: Float32Array[] = [];
    for (let from = 0; from < all.length; from += evaluation.batch_size) {
      const some = all.slice(from, from + evaluation.batch_size);
      const pictures = await Promise.all(some.map((one, i) => this.#picture(one, from + i)));
      const dataset = inMemory("the pictures given", model.in_chans, pictures);
      const rows = await rowsOf(this.gpu, this.config, encoder, dataset, { whitener, normalize });
      for (const row of rows) features.push(row.slice());
    }
    return isList(asked) ? features : features[0];
  }

  async #picture(source: PictureSource, i: number): Promise<Picture> {
    const { data: { max_pixels }, model: { in_chans } } = this.config;
    try {
      if ("width" in source) return asPicture(source, in_chans, max_pixels);
      const { decodeFile } = await import("./load/decode.ts");
      const bytes = source instanceof Uint8Array
        ? source
        : new Uint8Array(source instanceof Blob ? await source.arrayBuffer() : source);
      return await decodeFile(bytes, max_pixels, in_chans as DecodeChannels);
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
      throw new HatchlingError(`Picture ${i}: ${error.message}`, { cause: error });
    }
  }

  #whitener(readout: ReturnType<typeof readoutOf>): Promise<Whitener> {
    const feature = readoutName(readout), known = this.#whiteners.get(feature);
    if (known) return known;
    const made = (async () => {
      const { modelHash } = await import("./open_model/model_hash.ts");
      const { whiteningFile, whiteningIn } = await import("./open_model/whitening_file.ts");
      const { beside, config, file, weights } = this.#found, name = whiteningFile(feature);
      const bytes = await beside(name);
      if (!bytes) {
        throw new HatchlingError(
          `Expected the whitening ${name} beside ${file}, as evaluation.whiten asks, but found none: store one with ` +
            "deno task evaluate, or ask for features with { whiten: false }",
        );
      }
      const of = { feature, model: modelHash(weights, config, readout) };
      const alpha = config.evaluation.whiten_alpha;
      const whitener = new Whitener(this.gpu, { ...whiteningIn(bytes, name, file, of), alpha });
      this.#owned.unshift(whitener);
      return whitener;
    })();
    this.#whiteners.set(feature, made);
    made.catch(() => this.#whiteners.delete(feature)); // the next call tries again
    return made;
  }

  /** Frees all that it holds. */
  close(): void {
    for (const one of this.#owned.splice(0)) one.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

const isList = (
  asked: PictureSource | readonly PictureSource[],
): asked is readonly PictureSource[] => Array.isArray(asked);

/**
 * Loads a model: a run's folder, a checkpoint, or weights of this project, timm, facebookresearch/dino or Hugging
 * Face, as safetensors or PyTorch's files. `#student` behind a path names a part of it.
 *
 * Paths need a disk and the permission to read, addresses the network; in a page a path is an address relative to it.
 *
 * @param source A path, an address, or the bytes of the file of weights.
 * @throws {HatchlingError} When there is no model, or weights and configuration do not fit.
 *
 * @example
 * ```ts
 * import { float32Tensor, serializeSafetensors } from "@hatchling/hatchling/io";
 * import { load } from "@hatchling/hatchling/load";
 * import { initialize, VisionTransformer } from "@hatchling/hatchling/model";
 *
 * const vit = new VisionTransformer({ imageSize: 16, patchSize: 8, dim: 8, depth: 1, heads: 2 });
 * const values = initialize(vit.specs(), 0);
 * const tensors = new Map(
 *   vit.specs().map(({ name, shape }) => [name, float32Tensor(values.get(name)!, shape)]),
 * );
 * using model = await load(serializeSafetensors(tensors), { config: "model: {heads: 2}" });
 * const grey = { width: 20, height: 30, channels: 1, data: new Uint8Array(600).fill(99) };
 * console.log((await model.features(grey)).length); // 8
 * ```
 *
 * @category Model
 */
export async function load(source: ModelSource, options: LoadOptions = {}): Promise<PictureModel> {
  const { readModel } = await import("./load/source.ts");
  const found = await readModel(source, options);
  return new PictureModel(options.gpu ?? await openGpu(), found, !options.gpu);
}
