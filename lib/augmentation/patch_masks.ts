/**
 * Masks of a batch on the GPU, in buffers whose size no step changes.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import { NO_ROW } from "../ops/gather_rows.ts";
import { maskedCounts, type MaskOptions, maskOptions, mostMasked, viewMask } from "./mask.ts";

/** What {@linkcode PatchMasks} are made for. */
export interface PatchMaskOptions extends MaskOptions {
  /** Patches of a global view, down and across. */
  grid: readonly [number, number];
  /** Pictures B of a (micro-)batch. */
  batchSize: number;
  /** Global views G of a picture; 2 by default. */
  nGlobalCrops?: number;
  /** Tokens before the patches of a view: the class token, 1 by default, and registers. */
  prefix?: number;
}

/**
 * Which patches of a batch's global views the student does not see, and where their tokens are.
 *
 * A view's mask is a function of (seed, epoch, image, view) alone: whatever the batch, the number of workers or of
 * micro-batches. A share `maskProb` of the views is masked, each by a share of its patches that is uniform in
 * [`maskRatioMin`, `maskRatioMax`], in blocks (DINOv2's rule; iBOT, Zhou et al. 2022, arXiv:2111.07832, section 3.1).
 * Each masked view has at least one masked patch, however few it has.
 *
 * @example
 * ```ts
 * import { PatchMasks } from "@hatchling/hatchling/augmentation";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * const masks = new PatchMasks(gpu, { grid: [4, 4], batchSize: 2 });
 * masks.update({ seed: 0, epoch: 0, indices: [7, 9] });
 * console.log(masks.count, await masks.rows.readU32()); // rows of tokens [2·2·17, D]
 * masks.destroy();
 * gpu.destroy();
 * ```
 *
 * @category Data
 */
export class PatchMasks {
  /** The options with defaults filled in. */
  readonly options: Readonly<Required<PatchMaskOptions>>;
  /** [G·B, P], u32, view-major: 1 where a patch is masked. */
  readonly mask: Tensor;
  /**
   * [M], u32: rows of the global views' tokens [G·B·(prefix + P), D] that are masked, in order, then NO_ROW. M is known
   * beforehand: ⌈G · maskProb⌉ · B views, each masked as far as `maskRatioMax` goes.
   */
  readonly rows: Tensor;
  /**
   * [M]: 1 / (masked patches of the view · maskProb · G · B), then zeros; maskProb · G · B is how many views are
   * masked, exactly where maskProb · G is whole. So they add up to 1, and micro-batches' losses to the batch's.
   * DINOv2's code divides by all G · B views instead: its loss is maskProb times this one.
   */
  readonly weights: Tensor;
  #count = 0;

  /**
   * Allocates the buffers.
   *
   * @throws {HatchlingError} Naming the option that is out of range.
   */
  constructor(gpu: Gpu, options: PatchMaskOptions) {
    const { grid: [rows, cols], batchSize, nGlobalCrops = 2, prefix = 1 } = options;
    for (const [name, value] of Object.entries({ rows, cols, batchSize, nGlobalCrops })) {
      if (Number.isInteger(value) && value >= 1) continue;
      throw new HatchlingError(
        `PatchMasks: expected ${name} to be whole and at least 1 but found ${value}`,
      );
    }
    if (!Number.isInteger(prefix) || prefix < 0) {
      throw new HatchlingError(
        `PatchMasks: expected prefix to be whole and at least 0 but found ${prefix}`,
      );
    }
    this.options = { grid: [rows, cols], batchSize, nGlobalCrops, prefix, ...maskOptions(options) };
    const [views, patches] = [nGlobalCrops, rows * cols];
    const most = mostMasked(this.options, { views, batch: batchSize, patches });
    this.mask = gpu.persistent([views * batchSize, patches], "mask");
    this.rows = gpu.persistent([most], "masked rows");
    this.weights = gpu.persistent([most], "weights of masked rows");
    this.rows.write(new Uint32Array(most).fill(NO_ROW));
  }

  /** Masked patches of the batch that {@linkcode PatchMasks.update} was called for last. */
  get count(): number {
    return this.#count;
  }

  /**
   * Draws the masks of the next batch and uploads them; call it before the step runs.
   *
   * @param batch Seed, epoch and the pictures' indices [B].
   * @throws {HatchlingError} When there are not B indices.
   */
  update({ seed, epoch, indices }: {
    seed: number;
    epoch: number;
    indices: ArrayLike<number>;
  }): void {
    const { grid, batchSize, nGlobalCrops: views, maskProb, prefix } = this.options;
    if (indices.length !== batchSize) {
      throw new HatchlingError(
        `PatchMasks: expected ${batchSize} indices but found ${indices.length}: make them for this batch size`,
      );
    }
    const patches = grid[0] * grid[1];
    const mask = new Uint32Array(this.mask.size);
    const rows = new Uint32Array(this.rows.size).fill(NO_ROW);
    const weights = new Float32Array(rows.length);
    const counts = Array.from(
      indices,
      (image) => maskedCounts(this.options, patches, views, { seed, epoch, image }),
    );
    let n = 0;
    for (let view = 0; view < views; view++) {
      for (let b = 0; b < batchSize; b++) {
        const wanted = counts[b][view], sample = view * batchSize + b;
        if (wanted === 0) continue;
        const own = viewMask(grid, wanted, { seed, epoch, image: indices[b] }, view);
        mask.set(own, sample * patches);
        own.forEach((masked, p) => {
          if (!masked) return;
          rows[n] = sample * (prefix + patches) + prefix + p;
          weights[n++] = 1 / (wanted * maskProb * views * batchSize);
        });
      }
    }
    this.#count = n;
    this.mask.write(mask);
    this.rows.write(rows);
    this.weights.write(weights);
  }

  /** Frees the buffers. */
  destroy(): void {
    for (const t of [this.mask, this.rows, this.weights]) t.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}
