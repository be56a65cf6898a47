/**
 * What brings a batch to the GPU before every step.
 *
 * @module
 */
import {
  type AugmentationInput,
  MultiCrop,
  type PatchMaskOptions,
  PatchMasks,
} from "../augmentation.ts";
import type { Loader } from "../data/loader.ts";
import type { Gpu, Tensor } from "../gpu.ts";

/** Times of the loader since they were last asked for, per step. */
export interface LoaderTimes {
  /** Milliseconds that a step waited for its pictures. */
  data_wait_ms: number;
  /** Milliseconds from the beginning of a step's batches until it was complete, mostly in the background. */
  data_build_ms: number;
}

/** Where pictures come from. */
export type BatchSource = Pick<Loader, "batchSize" | "capacityPixels" | "batch" | "release">;

/** What is made of them. */
export interface FeedOptions {
  /** Their views. */
  augmentation: AugmentationInput;
  /** Micro-batches of a step; 1 by default. */
  accumulationSteps?: number;
  /** Which patches of the global views are masked; none by default. */
  masks?: Omit<PatchMaskOptions, "batchSize">;
  /** Seed of the run, of which views and masks are drawn. */
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
  /** The masks of the micro-batch that was fed last, where there are some. */
  readonly masks?: PatchMasks;
  readonly #source: BatchSource;
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
    source: BatchSource,
    { augmentation, accumulationSteps = 1, masks, seed }: FeedOptions,
  ) {
    const { batchSize, capacityPixels } = source;
    this.batchSize = batchSize;
    this.accumulationSteps = accumulationSteps;
    this.#source = source;
    this.#seed = seed;
    this.#pixels = gpu.persistent([capacityPixels], "pixels");
    this.#table = gpu.persistent([batchSize, 4], "table");
    this.#crops = new MultiCrop(gpu, augmentation, batchSize);
    if (masks) this.masks = new PatchMasks(gpu, { ...masks, batchSize });
  }

  /** Uploads pictures and crop parameters of micro-batch m of a step, both from 0. */
  async microBatch(step: number, m: number): Promise<void> {
    const start = performance.now();
    const batch = await this.#source.batch(step * this.accumulationSteps + m);
    this.#waited += performance.now() - start;
    this.#built += batch.buildTime;
    if (m === 0) this.#steps++;
    const { epoch, indices, table, pixels, usedPixels } = batch;
    this.#pixels.view([usedPixels]).write(pixels.subarray(0, usedPixels));
    this.#table.write(table);
    this.#crops.update({ seed: this.#seed, epoch, indices, table });
    this.masks?.update({ seed: this.#seed, epoch, indices });
    this.#source.release(batch);
  }

  /** The views of the step that was fed last. Recordable. */
  views(): Tensor[] {
    return this.#crops.forward(this.#pixels, this.#table);
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
    for (const part of [this.#pixels, this.#table, this.#crops, this.masks]) part?.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}
