/**
 * Batches in a seeded order, packed into one buffer of fixed size.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { Rng } from "../rng.ts";
import { DamagedPictureError, type Dataset } from "./dataset.ts";
import { packPictures, type Picture, planesOf } from "./image.ts";

/** Second part of the random address of an epoch's order, (seed, epoch, ORDER): crops have other ones. */
const ORDER = 0x6f726472;

/**
 * One batch of whole pictures of different sizes.
 *
 * @category Data
 */
export interface Batch {
  /** Number of the batch, from 0: the training step, unless a step takes several. */
  step: number;
  /** Epoch of the batch, from 0. */
  epoch: number;
  /** Index of every picture in the data set `[B]`; with the epoch the address of its random numbers. */
  indices: Uint32Array;
  /**
   * RGBA8, one pixel per number with red in the lowest byte: `[capacityPixels]`. The pictures follow one
   * another from 0, each in planes of three channels; what lies beyond `usedPixels` means nothing.
   */
  pixels: Uint32Array;
  /** Pixels in use: it is enough to upload `pixels.subarray(0, usedPixels)`. */
  usedPixels: number;
  /** Offset in pixels, width, height, 0 for every picture: `[B, 4]`. */
  table: Uint32Array;
  /** Milliseconds from its beginning until it was complete, most of them in the background. */
  buildTime: number;
}

/**
 * Options of {@linkcode Loader}.
 *
 * @category Data
 */
export interface LoaderOptions {
  /** Pictures per batch, at least 1. */
  batchSize: number;
  /** Seed of the order, an integer in [0, 2^53). */
  seed: number;
  /** Batches of a training step (gradient accumulation): an epoch holds whole steps only. Default 1. */
  accumulationSteps?: number;
  /** Batches prepared ahead in the background. Default 2. */
  prefetch?: number;
  /** The ranks that share every batch, and which of them this loader is for; one by itself by default. */
  ranks?: { rank: number; size: number };
}

/**
 * Gives the batch of any step. A batch is a function of data set, seed, batch size and step only: not of
 * what was asked before, of the number of workers or of their speed.
 *
 * Every epoch has a new order; the pictures left over at its end, fewer than a training step takes, are
 * dropped, as DINO does. Several ranks share a batch in equal parts, one after the other. Where a file turns out to be damaged, the next sound picture of the data set takes its place.
 *
 * @example
 * ```ts
 * import { Loader } from "@hatchling/hatchling/data";
 *
 * const data = new Uint8Array(256).fill(255);
 * const loader = new Loader({
 *   name: "white",
 *   length: 10,
 *   largestPixels: 64,
 *   picture: () => ({ width: 8, height: 8, data }),
 *   id: String,
 *   skipped: [],
 * }, { batchSize: 4, seed: 42 });
 * const batch = await loader.batch(0);
 * console.assert(loader.stepsPerEpoch === 2 && batch.usedPixels === 4 * 64);
 * loader.release(batch);
 * loader.close();
 * ```
 *
 * @category Data
 */
export class Loader {
  /** Pictures per batch: with several ranks, of this one's part. */
  readonly batchSize: number;
  /** Pictures of a training step, on all ranks. */
  readonly picturesPerStep: number;
  /** Whole training steps in an epoch. */
  readonly stepsPerEpoch: number;
  /** Batches in an epoch: of every step as many as it takes. */
  readonly batchesPerEpoch: number;
  /** Length of every batch's `pixels`: batch size × largest picture of the data set × its planes. */
  readonly capacityPixels: number;
  readonly #channels: number;
  readonly #dataset: Dataset;
  readonly #seed: number;
  readonly #prefetch: number;
  readonly #ranks: { rank: number; size: number };
  readonly #ahead = new Map<number, Promise<Batch>>();
  readonly #free: Uint32Array[] = [];
  #order: { epoch: number; indices: Uint32Array } | undefined;
  #closed = false;

  /**
   * Prepares nothing yet.
   *
   * @throws {HatchlingError} when the data set is smaller than a batch, or an option out of range.
   */
  constructor(dataset: Dataset, options: LoaderOptions) {
    const { batchSize, seed, accumulationSteps = 1, prefetch = 2 } = options;
    const { ranks = { rank: 0, size: 1 } } = options;
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new HatchlingError(`Expected data.batch_size of at least 1 but found ${batchSize}`);
    }
    if (!Number.isInteger(accumulationSteps) || accumulationSteps < 1) {
      throw new HatchlingError(
        `Expected accumulationSteps to be 1 or more batches but found ${accumulationSteps}`,
      );
    }
    const perStep = batchSize * accumulationSteps;
    if (dataset.length < perStep) {
      const times = accumulationSteps > 1
        ? ` × ${accumulationSteps} (training.gradient_accumulation_steps)`
        : "";
      const fits = Math.floor(dataset.length / accumulationSteps);
      const lower = fits > 0
        ? `data.batch_size to ${fits} or less`
        : `training.gradient_accumulation_steps to ${dataset.length} or less`;
      throw new HatchlingError(
        `Expected at least one batch of ${batchSize}${times} pictures but ${
          shown(dataset.name)
        } has only ` +
          `${dataset.length}: lower ${lower}, or add pictures`,
      );
    }
    if (!Number.isInteger(prefetch) || prefetch < 0) {
      throw new HatchlingError(`Expected prefetch to be 0 or more batches but found ${prefetch}`);
    }
    if (batchSize % ranks.size) {
      const near = Math.ceil(batchSize / ranks.size) * ranks.size;
      throw new HatchlingError(
        `Expected data.batch_size to divide among ${ranks.size} ranks but found ${batchSize}: every rank has as many ` +
          `pictures; use ${near}, or another number of ranks`,
      );
    }
    new Rng(seed); // its message, before any work
    this.batchSize = batchSize / ranks.size;
    this.picturesPerStep = perStep;
    this.#ranks = ranks;
    this.stepsPerEpoch = Math.floor(dataset.length / perStep);
    this.batchesPerEpoch = this.stepsPerEpoch * accumulationSteps;
    this.#channels = dataset.channels ?? 3;
    this.capacityPixels = this.batchSize * dataset.largestPixels * planesOf(this.#channels);
    this.#dataset = dataset;
    this.#seed = seed;
    this.#prefetch = prefetch;
  }

  /**
   * Which pictures a batch shows, before damaged ones are replaced.
   *
   * @param step Number of the batch, from 0.
   * @returns Indices `[B]`.
   */
  indices(step: number): Uint32Array {
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new HatchlingError(`Expected a training step from 0 on but found ${step}`);
    }
    const epoch = Math.floor(step / this.batchesPerEpoch);
    if (this.#order?.epoch !== epoch) {
      const indices = new Rng(this.#seed, epoch, ORDER).permutation(this.#dataset.length);
      this.#order = { epoch, indices };
    }
    const { rank, size } = this.#ranks;
    const from = ((step % this.batchesPerEpoch) * size + rank) * this.batchSize;
    return this.#order.indices.slice(from, from + this.batchSize);
  }

  /**
   * The batch of a number. The batches after it are then prepared in the background.
   *
   * @param step Number of the batch, from 0: the training step, unless a step takes several.
   * @throws {HatchlingError} when every file is damaged, a picture is larger than the data set said, or the
   * loader is closed.
   */
  async batch(step: number): Promise<Batch> {
    if (this.#closed) throw new HatchlingError("The loader is closed");
    const ready = this.#ahead.get(step);
    this.#ahead.delete(step);
    const batch = await (ready ?? this.#build(step));
    for (const [other, unused] of this.#ahead) {
      if (other > step && other <= step + this.#prefetch) continue;
      this.#ahead.delete(other);
      unused.then((batch) => this.release(batch), () => {});
    }
    for (let next = step + 1; next <= step + this.#prefetch && !this.#closed; next++) {
      if (this.#ahead.has(next)) continue;
      const promise = this.#build(next);
      promise.catch(() => {}); // reported when, and if, somebody asks for that step
      this.#ahead.set(next, promise);
    }
    return batch;
  }

  /**
   * Gives a batch's buffer back for reuse, once its pixels have been uploaded. Optional; the batch must not
   * be used afterwards.
   *
   * @param batch A batch of this loader.
   */
  release(batch: Batch): void {
    const known = batch.pixels.length === this.capacityPixels && !this.#free.includes(batch.pixels);
    if (known && this.#free.length <= this.#prefetch) this.#free.push(batch.pixels);
  }

  /** Stops preparing batches. The data set stays open. */
  close(): void {
    this.#closed = true;
    this.#ahead.clear();
    this.#free.length = 0;
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #build(step: number): Promise<Batch> {
    const start = performance.now();
    const indices = this.indices(step);
    const pictures: Picture[] = new Array(indices.length);
    await Promise.all(Array.from(indices, async (index, b) => {
      [indices[b], pictures[b]] = await this.#sound(index);
    }));
    const pixels = this.#free.pop() ?? new Uint32Array(this.capacityPixels);
    pictures.forEach((picture, b) => this.#check(picture, indices[b]));
    const epoch = Math.floor(step / this.batchesPerEpoch);
    const packed = packPictures(pictures, pixels);
    return { step, epoch, indices, ...packed, buildTime: performance.now() - start };
  }

  #check({ width, height, channels = 3, data }: Picture, index: number): void {
    const most = this.#dataset.largestPixels;
    const bytes = 4 * width * height * planesOf(this.#channels);
    if (width * height <= most && channels === this.#channels && data.length === bytes) return;
    throw new HatchlingError(
      `Expected ${
        shown(this.#dataset.id(index))
      } to have at most ${most} pixels of ${this.#channels} channels, ` +
        `${
          4 * planesOf(this.#channels)
        } bytes each, but found ${width} × ${height} of ${channels} in ` +
        `${data.length} bytes`,
    );
  }

  /** The picture at an index or, where that is damaged, at the next sound index, cyclically. */
  async #sound(index: number): Promise<[number, Picture]> {
    const n = this.#dataset.length;
    for (let tried = 0; tried < n; tried++) {
      const i = (index + tried) % n;
      try {
        return [i, await this.#dataset.picture(i)];
      } catch (error) {
        if (!(error instanceof DamagedPictureError)) throw error;
      }
    }
    throw new HatchlingError(
      `Every one of the ${n} pictures of ${shown(this.#dataset.name)} is damaged`,
    );
  }
}
