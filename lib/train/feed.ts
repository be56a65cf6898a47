/**
 * What brings a batch to the GPU before every step.
 *
 * @module
 */
import { type AugmentationInput, type AugmentOp, MultiCrop } from "../augmentation.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Loader } from "../data/loader.ts";
import type { Gpu, Tensor } from "../gpu.ts";

/** Times of the loader since they were last asked for, per step. */
export interface LoaderTimes {
  /** Milliseconds that a step waited for its pictures. */
  data_wait_ms: number;
  /** Milliseconds from the beginning of a step's batches until it was complete, mostly in the background. */
  data_build_ms: number;
}

/** A picture of a step, and what is done to it. */
export interface FedPicture {
  /** Its index in the data set. */
  image: number;
  /** Its name. */
  id: string;
  /** The operations of every view, globals first. */
  views: readonly AugmentOp[][];
}

/** Where pictures come from; the sizes of a batch will do where none is asked for. */
export interface FeedSource {
  /** Their batches. */
  loader: Pick<Loader, "batchSize" | "capacityPixels"> & Partial<Pick<Loader, "batch" | "release">>;
  /** Their names. */
  dataset?: Pick<Dataset, "id">;
}

/** What is made of them. */
export interface FeedOptions {
  /** Their views. */
  augmentation: AugmentationInput;
  /** Micro-batches of a step; 1 by default. */
  accumulationSteps?: number;
  /** Seed of the run, of which the views are drawn. */
  seed: number;
}

/**
 * The pictures of the next micro-batch on the GPU, and the recordable making of their views.
 *
 * @category Training
 */
export class Feed {
  /** Micro-batches of a step. */
  readonly accumulationSteps: number;
  /** Pictures of a micro-batch. */
  readonly batchSize: number;
  readonly #loader: FeedSource["loader"];
  readonly #dataset?: FeedSource["dataset"];
  readonly #seed: number;
  readonly #pixels: Tensor;
  readonly #table: Tensor;
  readonly #crops: MultiCrop;
  #steps = 0;
  #waited = 0;
  #built = 0;

  /** Allocates room for the largest batch. */
  constructor(
    gpu: Gpu,
    { loader, dataset }: FeedSource,
    { augmentation, accumulationSteps = 1, seed }: FeedOptions,
  ) {
    this.batchSize = loader.batchSize;
    this.accumulationSteps = accumulationSteps;
    this.#loader = loader;
    this.#dataset = dataset;
    this.#seed = seed;
    this.#pixels = gpu.persistent([loader.capacityPixels], "pixels");
    this.#table = gpu.persistent([loader.batchSize, 4], "table");
    this.#crops = new MultiCrop(gpu, augmentation, loader.batchSize);
  }

  /** Uploads pictures and crop parameters of micro-batch m of a step, both from 0. */
  async microBatch(step: number, m: number): Promise<void> {
    const start = performance.now();
    const batch = await this.#loader.batch!(step * this.accumulationSteps + m);
    this.#waited += performance.now() - start;
    this.#built += batch.buildTime;
    if (m === 0) this.#steps++;
    const { epoch, indices, table, pixels, usedPixels } = batch;
    this.#pixels.view([usedPixels]).write(pixels.subarray(0, usedPixels));
    this.#table.write(table);
    this.#crops.update({ seed: this.#seed, epoch, indices, table });
    this.#loader.release!(batch);
  }

  /** The views of the step that was fed last. Recordable. */
  views(): Tensor[] {
    return this.#crops.forward(this.#pixels, this.#table);
  }

  /** What a step is made of. */
  async describe(step: number): Promise<FedPicture[]> {
    const pictures: FedPicture[] = [];
    for (let m = 0; m < this.accumulationSteps; m++) {
      const { epoch, indices, table } = await this.#loader.batch!(
        step * this.accumulationSteps + m,
      );
      indices.forEach((image, b) => {
        const [width, height] = [table[4 * b + 1], table[4 * b + 2]];
        const views = this.#crops.describe({ seed: this.#seed, epoch, image, width, height });
        pictures.push({ image, id: this.#dataset!.id(image), views: views.map(({ ops }) => ops) });
      });
    }
    return pictures;
  }

  /** Times per step since the last call. */
  times(): LoaderTimes {
    const per = Math.max(1, this.#steps);
    const times = { data_wait_ms: this.#waited / per, data_build_ms: this.#built / per };
    this.#steps = this.#waited = this.#built = 0;
    return times;
  }

  /** Frees its room on the GPU. */
  destroy(): void {
    for (const part of [this.#pixels, this.#table, this.#crops]) part.destroy();
  }
}
