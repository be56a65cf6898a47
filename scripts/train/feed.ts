/**
 * What brings a batch to the GPU before every step.
 *
 * @module
 */
import { MultiCrop } from "../../lib/augmentation.ts";
import type { Config } from "../../lib/config.ts";
import type { Loader } from "../../lib/data/loader.ts";
import type { Gpu, Tensor } from "../../lib/gpu/mod.ts";
import { augmentationOf } from "./settings.ts";

/** Times of the loader since they were last asked for, per step. */
export interface LoaderTimes {
  /** Milliseconds that a step waited for its pictures. */
  data_wait_ms: number;
  /** Milliseconds from the beginning of a batch until it was complete, mostly in the background. */
  data_build_ms: number;
}

/** The pictures of the next step on the GPU, and the recordable making of their views. */
export class Feed {
  readonly #loader: Loader;
  readonly #seed: number;
  readonly #pixels: Tensor;
  readonly #table: Tensor;
  readonly #crops: MultiCrop;
  #steps = 0;
  #waited = 0;
  #built = 0;

  /** Allocates room for the largest batch. */
  constructor(gpu: Gpu, loader: Loader, config: Config) {
    this.#loader = loader;
    this.#seed = config.training.seed;
    this.#pixels = gpu.persistent([loader.capacityPixels], "pixels");
    this.#table = gpu.persistent([loader.batchSize, 4], "table");
    this.#crops = new MultiCrop(gpu, augmentationOf(config), loader.batchSize);
  }

  /** Uploads pictures and crop parameters of a step, from 0. */
  async step(step: number): Promise<void> {
    const start = performance.now();
    const batch = await this.#loader.batch(step);
    this.#waited += performance.now() - start;
    this.#built += batch.buildTime;
    this.#steps++;
    const { epoch, indices, table, pixels, usedPixels } = batch;
    this.#pixels.view([usedPixels]).write(pixels.subarray(0, usedPixels));
    this.#table.write(table);
    this.#crops.update({ seed: this.#seed, epoch, indices, table });
    this.#loader.release(batch);
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
    for (const part of [this.#pixels, this.#table, this.#crops]) part.destroy();
  }
}
