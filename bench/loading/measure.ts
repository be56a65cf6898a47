/**
 * How fast pictures come from files to the adapter.
 *
 * @module
 */
import { MultiCrop } from "../../lib/augmentation.ts";
import { Decoder } from "../../lib/data/decoder.ts";
import { openFolder } from "../../lib/data/folder.ts";
import { type Batch, Loader } from "../../lib/data/loader.ts";
import { type Gpu, record, type Tensor } from "../../lib/gpu.ts";
import type { StepJobShape } from "../jobs.ts";
import { trainerOf } from "../ours.ts";
import type { CropSizes } from "../peers/torchvision.ts";

/** What is done with a batch. */
interface Consumer {
  /** Takes it; the batch is free again afterwards. */
  take(batch: Batch): Promise<void>;
  /** Waits until all of it is done. */
  finish(): Promise<unknown>;
  destroy(): void;
}

/** Where pictures come from. */
export interface Source {
  folder: string;
  batch: number;
  workers: number;
}

/** What some steps took. */
export interface Pace {
  /** Pictures per second. */
  rate: number;
  /** Milliseconds per step. */
  stepMs: number;
  /** Part of the time that steps waited for their pictures. */
  waiting: number;
}

/** Pictures per second that workers decode, once they have started. */
export async function decodeRate(paths: readonly string[], workers: number): Promise<number> {
  using decoder = new Decoder({ workers });
  const all = async (some: readonly string[]) => {
    await Promise.all(some.map(async (path) => {
      const { file, reason } = await decoder.decode(path);
      if (reason) throw new Error(`${file}: ${reason}`);
    }));
  };
  await all(paths.slice(0, 8 * workers));
  const start = performance.now();
  await all(paths);
  return 1000 * paths.length / (performance.now() - start);
}

/**
 * The pace of steps in the middle of a run.
 *
 * @param cached Whether all pictures are in the cache before.
 * @param steps How many are timed; one that compiles goes before.
 * @param consumerOf Makes what takes the batches.
 */
export async function paceOf(
  { folder, batch, workers }: Source,
  cached: boolean,
  steps: number,
  consumerOf: (loader: Loader) => Promise<Consumer> | Consumer,
): Promise<Pace> {
  const dataset = await openFolder(folder, {
    numWorkers: workers,
    cacheBytes: cached ? 2 ** 30 : 0,
  });
  if (cached) {
    await Promise.all(Array.from({ length: dataset.length }, (_, i) => dataset.picture(i)));
  }
  const loader = new Loader(dataset, { batchSize: batch, seed: 0 });
  const consumer = await consumerOf(loader);
  let waited = 0;
  const step = async (i: number) => {
    const start = performance.now();
    const batch = await loader.batch(i);
    waited += performance.now() - start;
    await consumer.take(batch);
    loader.release(batch);
  };
  try {
    await step(0);
    await consumer.finish();
    waited = 0;
    const start = performance.now();
    for (let i = 1; i <= steps; i++) await step(i);
    await consumer.finish();
    const ms = performance.now() - start;
    return { rate: 1000 * steps * batch / ms, stepMs: ms / steps, waiting: waited / ms };
  } finally {
    loader.close();
    dataset.close();
    consumer.destroy();
  }
}

/** Takes batches and does nothing with them. */
export const nothing = (): Consumer => ({
  take: () => Promise.resolve(),
  finish: () => Promise.resolve(),
  destroy: () => {},
});

/** Uploads pictures and makes views of them; the next batch is fetched meanwhile. */
export function views(gpu: Gpu, crops: CropSizes): (loader: Loader) => Promise<Consumer> {
  return async (loader) => {
    const feed = new Feed(gpu, loader, crops);
    const program = await record(gpu, () => feed.views());
    let before: Promise<unknown> = Promise.resolve();
    return {
      async take(batch) {
        feed.upload(batch);
        program.run();
        const now = gpu.idle();
        await before;
        before = now;
      },
      finish: () => before,
      destroy: () => [program, feed].forEach((x) => x.destroy()),
    };
  };
}

/** Makes views and whole training steps of them; each is awaited before the next batch is asked for. */
export function training(gpu: Gpu, shape: StepJobShape): (loader: Loader) => Promise<Consumer> {
  return async (loader) => {
    const { vit: { imageSize }, localSize, locals } = shape;
    const feed = new Feed(gpu, loader, { globalSize: imageSize, localSize, locals });
    const { trainer, set } = trainerOf(gpu, shape);
    const program = await record(gpu, () => trainer.step(feed.views()));
    return {
      async take(batch) {
        feed.upload(batch);
        set(batch.step);
        program.run();
        await gpu.idle();
      },
      finish: () => Promise.resolve(),
      destroy: () => [program, trainer, feed].forEach((x) => x.destroy()),
    };
  };
}

/** The pictures of a batch on the adapter. */
class Feed {
  readonly #pixels: Tensor;
  readonly #table: Tensor;
  readonly #crops: MultiCrop;

  constructor(gpu: Gpu, loader: Loader, { globalSize, localSize, locals }: CropSizes) {
    this.#pixels = gpu.persistent([loader.capacityPixels], "pixels");
    this.#table = gpu.persistent([loader.batchSize, 4], "table");
    const options = {
      globalCropSize: globalSize,
      localCropSize: localSize,
      numLocalViews: locals,
    };
    this.#crops = new MultiCrop(gpu, options, loader.batchSize);
  }

  upload({ pixels, usedPixels, table, epoch, indices }: Batch): void {
    this.#pixels.view([usedPixels]).write(pixels.subarray(0, usedPixels));
    this.#table.write(table);
    this.#crops.update({ seed: 0, epoch, indices, table });
  }

  views(): Tensor[] {
    return this.#crops.forward(this.#pixels, this.#table);
  }

  destroy(): void {
    for (const part of [this.#pixels, this.#table, this.#crops]) part.destroy();
  }
}
