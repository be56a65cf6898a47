/**
 * A model on a GPU, and the pictures to look at.
 *
 * @module
 */
import type { Config, Override } from "./config.ts";
import { DamagedPictureError, type Dataset } from "./data/dataset.ts";
import { openFiles } from "./data/file_dataset.ts";
import { openFolder } from "./data/folder.ts";
import type { DecodeChannels } from "./data/decode.ts";
import { openDataset } from "./data/open.ts";
import { HatchlingError } from "./errors.ts";
import { type EncodedPictures, encodePictures } from "./eval/encode.ts";
import type { Encoder } from "./eval/encoder.ts";
import { openDevice } from "./adapter.ts";
import type { Gpu } from "./gpu.ts";
import { fileError, statFile } from "./io/files.ts";
import { Parameters } from "./model.ts";
import { shown } from "./text.ts";
import { Rng } from "./rng.ts";
import { opening, spreadIndices } from "./from_config/pictures.ts";
import { encodingOf } from "./from_config/readout.ts";
import { type LoadedModel, loadModel, type ModelRequest } from "./open_model/load.ts";
import { type ProgressLine, SILENT } from "./progress.ts";
import { datasetOptionsOf, gpuOptionsOf } from "./from_config.ts";

/** A picture with its name. */
export interface NamedPicture {
  id: string;
  picture: Awaited<ReturnType<Dataset["picture"]>>;
}

/** What is open while a command runs. */
export class Session {
  readonly progress: ProgressLine;
  readonly loaded: LoadedModel;
  readonly config: Config;
  readonly overrides: readonly Override[];
  readonly #open: { close?(): void }[] = [];
  #gpu?: Gpu;
  #params?: Parameters;

  private constructor(
    loaded: LoadedModel,
    overrides: readonly Override[],
    progress: ProgressLine,
  ) {
    this.progress = progress;
    this.loaded = loaded;
    this.overrides = overrides;
    this.config = loaded.config;
  }

  /** Loads a model; the GPU waits until it is needed. */
  static async load(request: ModelRequest, progress: ProgressLine = SILENT): Promise<Session> {
    const onWarning = (message: string) => progress.say(`warning: ${message}`);
    const onNote = (message: string) => progress.say(message);
    const loaded = await loadModel({ onWarning, onNote, ...request });
    return new Session(loaded, request.overrides ?? [], progress);
  }

  /** The GPU with the weights. */
  async gpu(): Promise<{ gpu: Gpu; params: Parameters }> {
    if (!this.#gpu) {
      this.#gpu = await openDevice(gpuOptionsOf(this.config));
      this.#params = new Parameters(this.#gpu, this.loaded.model.specs());
      this.#params.load(this.loaded.weights);
    }
    return { gpu: this.#gpu, params: this.#params! };
  }

  /** The pictures of the configuration. */
  async dataset(): Promise<Dataset> {
    const dataset = await openDataset({
      ...datasetOptionsOf(this.config),
      onProgress: (done, total, doing) => this.progress.show(opening(done, total, doing)),
    });
    this.progress.end();
    this.#open.push(dataset);
    return dataset;
  }

  /**
   * The pictures in files or in one folder.
   *
   * @param maxPixels Larger ones are reduced.
   * @throws {HatchlingError} When a path is missing, or a file that was named is no sound picture.
   */
  async files(paths: readonly string[], maxPixels: number): Promise<Dataset> {
    const { model, data } = this.config;
    const options = {
      channels: model.in_chans as DecodeChannels,
      maxPixels,
      numWorkers: Math.min(data.num_workers, navigator.hardwareConcurrency),
    };
    const folders: string[] = [];
    for (const path of paths) {
      const stat = await Deno.stat(path).catch((error) => {
        throw fileError("read", path, error);
      });
      if (stat.isDirectory) folders.push(path);
      else await statFile(path);
    }
    if (folders.length && paths.length > 1) {
      throw new HatchlingError(
        `Expected picture files, or one folder alone, but found the folder ${
          shown(folders[0])
        } among ` +
          `${paths.length} paths: look at one after the other`,
      );
    }
    const dataset = folders.length
      ? await openFolder(paths[0], options)
      : await openFiles("the files named", paths.map((path) => ({ id: path, path })), options);
    this.#open.push(dataset);
    if (!folders.length && dataset.skipped.length) {
      const [{ file, reason }] = dataset.skipped;
      throw new HatchlingError(
        `Expected a picture (PNG, JPEG, GIF, WebP) but found ${shown(file)}: ${shown(reason)}`,
      );
    }
    return dataset;
  }

  /**
   * Pictures to show: those that were named, all of a folder, or some of the data set.
   *
   * @param asked Files, one folder, or ids of the data set.
   * @param images How many at most, spread over all; undefined takes every one that was named.
   * @param maxPixels Larger files are reduced.
   * @param most How many pictures may be meant.
   * @throws {HatchlingError} When there are more, before any is decoded.
   */
  async *shown(
    asked: readonly string[],
    images: number | undefined,
    maxPixels: number,
    most = Infinity,
  ): AsyncGenerator<NamedPicture> {
    const spread = (length: number, n = length) => {
      const indices = spreadIndices(length, n);
      if (indices.length <= most) return indices;
      throw new HatchlingError(
        `Expected at most ${most} pictures at this size, as they are compared with each other, but ` +
          `found ${indices.length}: take fewer with --images, or lower --size`,
      );
    };
    const { paths, ids } = await sortNames(asked);
    if (paths.length) {
      const files = await this.files(paths, maxPixels);
      yield* this.#some(files, spread(files.length, images), paths);
    }
    if (paths.length && !ids.length) return;
    const dataset = await this.dataset();
    if (!ids.length) return yield* this.#some(dataset, spread(dataset.length, images ?? 8), []);
    const indices = indicesOf(dataset, ids);
    for (const row of spread(ids.length, images)) {
      yield { id: ids[row], picture: await dataset.picture(indices[row]) };
    }
  }

  async *#some(
    dataset: Dataset,
    indices: readonly number[],
    paths: readonly string[],
  ): AsyncGenerator<NamedPicture> {
    const named = paths.length > 1 || paths[0] && dataset.length === 1;
    for (const i of indices) {
      try {
        yield { id: dataset.id(i), picture: await dataset.picture(i) };
      } catch (error) {
        if (named || !(error instanceof DamagedPictureError)) throw error;
        this.progress.say(`note: ${shown(error.message)}`);
      }
    }
  }

  /** Features of a data set's pictures, of at most so many, drawn by the seed. */
  async encode(
    dataset: Dataset,
    encoder: Encoder,
    maxImages: number | null = null,
  ): Promise<EncodedPictures> {
    const { gpu } = await this.gpu();
    const { seed } = this.config.training;
    const most = Math.min(dataset.length, maxImages ?? dataset.length);
    const asked = most < dataset.length
      ? new Rng(seed, 0x100c).permutation(dataset.length).subarray(0, most).slice().sort()
      : Uint32Array.from({ length: most }, (_, i) => i);
    if (most < dataset.length) {
      this.progress.say(
        `note: ${most} of ${dataset.length} pictures, drawn at random by the seed; --max-images changes that`,
      );
    }
    const [encoded] = await encodePictures(gpu, dataset, asked, [encoder], {
      ...encodingOf(this.config),
      views: false,
      onProgress: (done) => this.progress.show(`encoding: ${done} of ${most} pictures`),
    });
    this.progress.end();
    return encoded;
  }

  /** Frees all. */
  close(): void {
    this.progress.end();
    for (const dataset of this.#open) dataset.close?.();
    this.#params?.destroy();
    this.#gpu?.destroy();
  }
}

/** Which names are of something on the disk, and which may be ids of a data set. */
export async function sortNames(asked: readonly string[]) {
  const paths: string[] = [], ids: string[] = [];
  for (const name of asked) {
    const there = await Deno.stat(name).then(() => true, () => false);
    (there ? paths : ids).push(name);
  }
  return { paths, ids };
}

/**
 * Indices of pictures by their ids.
 *
 * @throws {HatchlingError} When the data set holds no such picture.
 */
export function indicesOf(dataset: Dataset, ids: readonly string[]): number[] {
  if (!ids.length) return [];
  const all = new Map<string, number>();
  for (let i = dataset.length - 1; i >= 0; i--) all.set(dataset.id(i), i);
  return ids.map((id) => {
    const index = all.get(id);
    if (index !== undefined) return index;
    throw new HatchlingError(
      `Expected a picture file, or an id of ${shown(dataset.name)} such as ${
        shown(dataset.id(0))
      }, but found ${shown(id)}: ` +
        "there is neither",
    );
  });
}
