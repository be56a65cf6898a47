/**
 * DINO's multi-crop augmentation on the GPU (Caron et al. 2021): random resized crop → flip → colour
 * jitter → grayscale → blur → solarize → normalise. The CPU only draws a few numbers per view.
 * `docs/guides/augmentation.md` shows every step.
 *
 * @example What a view of a picture will be
 * ```ts
 * import { augmentationOptions, sampleView } from "@hatchling/hatchling/augmentation";
 *
 * const options = augmentationOptions({ globalCropSize: 32, localCropSize: 16, numLocalViews: 4 });
 * const address = { seed: 0, epoch: 0, image: 7, view: 0, width: 40, height: 30 };
 * console.log(sampleView(options, address).ops);
 * ```
 *
 * @module
 */

import { HatchlingError } from "./errors.ts";
import type { Gpu, Tensor } from "./gpu.ts";
import {
  type AugmentationInput,
  type AugmentationOptions,
  augmentationOptions,
} from "./augmentation/options.ts";
import { packView, VIEW_FLOATS } from "./augmentation/parameters.ts";
import { normalization, renderViews } from "./augmentation/pipeline.ts";
import { sampleView, type ViewParameters } from "./augmentation/sample.ts";

export {
  AUGMENTATION_DEFAULTS,
  type AugmentationInput,
  type AugmentationOptions,
  augmentationOptions,
  type BatchOptions,
  type ViewKind,
  type ViewOptions,
} from "./augmentation/options.ts";
export { type CropBox, cropBox } from "./augmentation/crop_box.ts";
export type {
  AugmentOp,
  ColorOp,
  GaussianBlurOp,
  GrayscaleOp,
  HflipOp,
  NormalizeOp,
  ResizedCropOp,
  SolarizeOp,
} from "./augmentation/ops.ts";
export { blockMask, type MaskOptions } from "./augmentation/mask.ts";
export type { OpsView } from "./augmentation/parameters.ts";
export { type PatchMaskOptions, PatchMasks } from "./augmentation/patch_masks.ts";
export { applyOps } from "./augmentation/pipeline.ts";
export { sampleView, type ViewAddress, type ViewParameters } from "./augmentation/sample.ts";
export { Rng } from "./rng.ts";

/** Which pictures the next step sees, as `MultiCrop.update` takes it. */
export interface AugmentationBatch {
  /** Seed of the run, an integer in [0, 2^53). */
  seed: number;
  /** Epoch, from 0. */
  epoch: number;
  /** Index of each of the B pictures in the data set. */
  indices: ArrayLike<number>;
  /** `[B, 4]`: offset in pixels, width, height, 0; the same numbers as in the table tensor. */
  table: ArrayLike<number>;
}

/** Views of one size, made together. */
interface Group {
  first: number;
  views: number;
  size: number;
  data: Float32Array<ArrayBuffer>;
  params: Tensor;
}

/**
 * Multi-crop augmentation of batches of one size.
 *
 * Before every step, `update` draws and uploads 192 bytes per view; `forward`, recorded once, makes the
 * views on the GPU. A view depends on (seed, epoch, image, view) and its picture alone.
 *
 * @example
 * ```ts
 * import { MultiCrop } from "@hatchling/hatchling/augmentation";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * const crops = new MultiCrop(gpu, { globalCropSize: 32, localCropSize: 16, numLocalViews: 4 }, 1);
 * const size = { width: 40, height: 30 };
 * const rows = Uint32Array.of(0, size.width, size.height, 0);
 * const pixels = gpu.tensor(new Uint32Array(40 * 30).fill(0xff804020), [40 * 30]);
 * const table = gpu.tensor(rows, [1, 4]);
 * crops.update({ seed: 0, epoch: 0, indices: [7], table: rows });
 * const [globals, locals] = crops.forward(pixels, table); // [2, 3, 32, 32], [4, 3, 16, 16]
 * console.log(globals.shape, locals.shape, crops.describe({ seed: 0, epoch: 0, image: 7, ...size }));
 * ```
 *
 * @category Data
 */
export class MultiCrop {
  /** The complete options. */
  readonly options: AugmentationOptions;
  /** Number of pictures B in a batch. */
  readonly batchSize: number;
  readonly #gpu: Gpu;
  readonly #groups: Group[];
  readonly #norm: Tensor;

  /**
   * Allocates the parameter tables.
   *
   * @param gpu The device.
   * @param options Any subset of the options; the rest is DINO's.
   * @param batchSize Number of pictures B ≥ 1 in a batch.
   * @throws {HatchlingError} when an option or the batch size is out of range.
   */
  constructor(gpu: Gpu, options: AugmentationInput, batchSize: number) {
    this.options = augmentationOptions(options);
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new HatchlingError(`Expected a batch size ≥ 1 but found ${batchSize}`);
    }
    this.batchSize = batchSize;
    this.#gpu = gpu;
    const { channels, normalizeMean, normalizeStd } = this.options;
    this.#norm = gpu.tensor(
      normalization(channels, normalizeMean, normalizeStd),
      [channels, 2],
      "normalization",
    );
    const { nGlobalCrops, numLocalViews, globalCropSize, localCropSize } = this.options;
    const groups = [
      { first: 0, views: nGlobalCrops, size: globalCropSize },
      { first: nGlobalCrops, views: numLocalViews, size: localCropSize },
    ];
    this.#groups = groups.filter(({ views }) => views > 0).map((group) => {
      const n = group.views * batchSize;
      const data = new Float32Array(n * VIEW_FLOATS);
      return { ...group, data, params: gpu.tensor(data, [n, VIEW_FLOATS]) };
    });
  }

  /**
   * Draws the views of the next batch and uploads their parameters; call it before the step runs.
   *
   * @param batch Seed, epoch, the pictures' indices and sizes.
   * @throws {HatchlingError} when `indices` or `table` do not have the batch size.
   */
  update(batch: AugmentationBatch): void {
    const { seed, epoch, indices, table } = batch;
    const b = this.batchSize;
    if (indices.length !== b || table.length !== 4 * b) {
      throw new HatchlingError(
        `Expected ${b} indices and a table of ${4 * b} numbers but found ${indices.length} and ` +
          `${table.length}: make a MultiCrop for this batch size`,
      );
    }
    for (const { first, views, data, params } of this.#groups) {
      for (let i = 0; i < views * b; i++) {
        const [image, width, height] = [
          indices[i % b],
          table[4 * (i % b) + 1],
          table[4 * (i % b) + 2],
        ];
        const view = first + Math.floor(i / b);
        const sampled = sampleView(this.options, { seed, epoch, image, view, width, height });
        packView(sampled, data, i * VIEW_FLOATS, this.options.channels);
      }
      params.write(data);
    }
  }

  /**
   * Makes all views of the batch. Recordable.
   *
   * @param pixels u32 RGBA8 (r in the low byte) of the B pictures, packed in planes of three channels.
   * @param table `[B, 4]` u32: offset in pixels, width, height, 0.
   * @returns One tensor per crop size, view-major: `[G·B, C, Hg, Wg]` and, unless there are no local
   * views, `[L·B, C, Hl, Wl]`, f32.
   */
  forward(pixels: Tensor, table: Tensor): Tensor[] {
    if (table.shape[0] !== this.batchSize) {
      throw new HatchlingError(
        `Expected a table [${this.batchSize}, 4] but found [${table.shape}]`,
      );
    }
    const norm = this.#norm;
    return this.#groups.map(({ size, params }) =>
      renderViews(this.#gpu, pixels, table, params, { height: size, width: size, norm })
    );
  }

  /**
   * What `update` draws for one picture, in words: every view with its operations in order.
   *
   * @param address Seed, epoch, index of the picture and its size.
   * @returns Plain objects, globals first.
   */
  describe(
    address: { seed: number; epoch: number; image: number; width: number; height: number },
  ): ViewParameters[] {
    const n = this.options.nGlobalCrops + this.options.numLocalViews;
    return Array.from({ length: n }, (_, view) => sampleView(this.options, { ...address, view }));
  }

  /** Frees the parameter tables. */
  destroy(): void {
    for (const { params } of this.#groups) params.destroy();
    this.#norm.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}
