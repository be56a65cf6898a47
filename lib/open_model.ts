/**
 * A model with its weights, ready to encode pictures.
 *
 * @module
 */
import type { Config } from "./config.ts";
import type { Dataset } from "./data/dataset.ts";
import { type EncodedPictures, encodePictures } from "./eval/encode.ts";
import { featureEncoder } from "./eval/feature_encoder.ts";
import { fitWhitening, Whitener } from "./eval/whiten.ts";
import { whitenPictures } from "./eval/whiten_pictures.ts";
import { encodingOf, readoutOf } from "./from_config/readout.ts";
import type { Gpu } from "./gpu.ts";
import { type DinoModel, type Feature, Parameters } from "./model.ts";
import type { LoadedModel, OpenModelOptions } from "./open_model/load.ts";

export type { LoadedModel, OpenModelOptions } from "./open_model/load.ts";

/** How {@linkcode OpenedModel.encode} encodes. */
export interface EncodeModelOptions {
  /** Which pictures of the data set, by index; all by default. */
  indices?: ArrayLike<number>;
  /** Weights that lie on the GPU already; by default they are uploaded and freed again. */
  params?: Parameters;
  /** Pictures per forward pass; by default `evaluation.batch_size`. */
  batchSize?: number;
  /** What is read out; by default what the configuration says (`evaluation.feature`). */
  feature?: Feature;
  /**
   * Whiten it, by what is stored with the weights, else by a fit to these pictures; by default what the configuration
   * says (`evaluation.whiten`).
   */
  whiten?: boolean;
  /** Called with the number of pictures done. */
  onProgress?: (done: number) => void;
}

/**
 * A model with its weights: what {@linkcode openModel} gives.
 *
 * @category Model
 */
export class OpenedModel implements LoadedModel {
  /** Its configuration. */
  readonly config: Config;
  /** The model: `model.backbone`, `model.head` the DINO head. */
  readonly model: DinoModel;
  /** Its weights by name. */
  readonly weights: Map<string, Float32Array>;
  /** Whether the head's are among them; else it has its initial ones. */
  readonly hasHead: boolean;
  /** The loss's centre [K], of a checkpoint. */
  readonly center?: Float32Array;
  /** Whose weights they are, for tables. */
  readonly name: string;
  /** The file that they come from. */
  readonly file: string;
  /** The run's folder, where one was named. */
  readonly folder?: string;

  /** Takes what was loaded. */
  constructor(loaded: LoadedModel) {
    this.config = loaded.config;
    this.model = loaded.model;
    this.weights = loaded.weights;
    this.hasHead = loaded.hasHead;
    this.center = loaded.center;
    this.name = loaded.name;
    this.file = loaded.file;
    this.folder = loaded.folder;
  }

  /** The weights on a GPU, backbone and head, without gradients. Free them with `destroy()`. */
  params(gpu: Gpu): Parameters {
    const params = new Parameters(gpu, this.model.specs());
    params.load(this.weights);
    return params;
  }

  /**
   * Features of pictures: what the configuration says is read out (`evaluation.feature`, `last_blocks`, `whiten`), of
   * their central squares, at the size and with the normalisation that the model was trained with.
   *
   * @returns `whole`: rows [n, D] of length 1; `raw.whole`: as the model gave them, or whitened; `indices`: whose rows
   * these are, as damaged pictures are left out.
   * @throws {HatchlingError} When no picture is sound, features are not finite, or the whitening that is stored is of
   * other weights.
   */
  async encode(
    gpu: Gpu,
    dataset: Dataset,
    options: EncodeModelOptions = {},
  ): Promise<EncodedPictures> {
    const { evaluation } = this.config, encoding = encodingOf(this.config);
    const indices = options.indices ?? Uint32Array.from({ length: dataset.length }, (_, i) => i);
    const params = options.params ?? this.params(gpu);
    try {
      const readout = readoutOf(this.config);
      if (options.feature !== undefined) readout.feature = options.feature;
      const encoder = featureEncoder(gpu, this.name, this.model.backbone, params, readout);
      const [encoded] = await encodePictures(gpu, dataset, indices, [encoder], {
        ...encoding,
        batchSize: options.batchSize ?? encoding.batchSize,
        views: false,
        onProgress: options.onProgress,
      });
      if (!(options.whiten ?? evaluation.whiten)) return encoded;
      const { whiteningFor } = await import("./open_model/whitening.ts"); // it needs a disk
      const fit = () => fitWhitening(encoded.raw.whole);
      const { whitening } = await whiteningFor(this, readout, fit);
      using whitener = new Whitener(gpu, whitening);
      return await whitenPictures(whitener, encoded);
    } finally {
      if (!options.params) params.destroy();
    }
  }
}

/**
 * Opens a model. Of a run's folder: `config.yaml` with `teacher.safetensors`, else the teacher of the best or of
 * the newest checkpoint; files that are damaged are passed over, with a warning. Of a safetensors file: its
 * weights with the configuration that it holds (a checkpoint), that lies beside it, or that is given.
 *
 * Needs the permission to read.
 *
 * @param path A run's folder, or a safetensors file.
 * @throws {HatchlingError} When there is no model, or weights and configuration do not fit.
 *
 * @example
 * ```ts ignore
 * import { openDataset, openGpu, openModel, saveWeights } from "@hatchling/hatchling";
 *
 * const gpu = await openGpu();
 * const opened = await openModel("runs/a");
 * const dataset = await openDataset({ path: "photos" });
 * const { whole, indices } = await opened.encode(gpu, dataset);
 * console.log(whole.shape, dataset.id(indices[0]), whole.data.subarray(0, whole.shape[1]));
 * dataset.close?.(); // its workers would keep the script alive
 *
 * await saveWeights("copy.safetensors", opened.params(gpu));
 * const copy = await openModel("copy.safetensors", { config: opened.config });
 * ```
 *
 * @category Model
 */
export async function openModel(
  path: string,
  options: OpenModelOptions = {},
): Promise<OpenedModel> {
  const { loadModel } = await import("./open_model/load.ts"); // where there is no disk, this alone fails
  const onWarning = (message: string) => console.warn(`warning: ${message}`);
  return new OpenedModel(await loadModel({ onWarning, ...options, path }));
}
