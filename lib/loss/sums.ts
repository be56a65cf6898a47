/**
 * What the loss leaves of a batch, as means over its pictures: they add up where it comes in micro-batches.
 *
 * @module
 */
import { type Gpu, sizeOf, type Tensor } from "../gpu.ts";

/** Means over a batch, or what has been added to them so far. */
export interface LossSums {
  /** [G, V], cross-entropy per pair of views. */
  pairLoss: Tensor;
  /** [G], entropy of the teacher's distributions per view. */
  entropy: Tensor;
  /** [K], the teacher's distributions. */
  meanTeacher: Tensor;
  /** [K], the teacher's raw logits. */
  batchMean: Tensor;
  /** [1], KoLeo times its weight. */
  koleo: Tensor;
}

/** Where a micro-batch adds to what is known of the whole batch. */
export interface LossMicroBatch {
  /** Sums of those so far; they start at zero, but for a batch that comes at once, which overwrites them. */
  sums: LossSums;
  /** Micro-batches of equal size that the batch comes in; 1 where it comes at once. */
  accumulationSteps: number;
}

/** G, V and K. */
export interface SumSizes {
  /** Global views. */
  globals: number;
  /** All views. */
  views: number;
  /** Output dimensions. */
  outDim: number;
}

function sumsOf(
  { globals, views, outDim }: SumSizes,
  make: (shape: number[], name: string) => Tensor,
): LossSums {
  return {
    pairLoss: make([globals, views], "pairLoss"),
    entropy: make([globals], "entropy"),
    meanTeacher: make([outDim], "meanTeacher"),
    batchMean: make([outDim], "batchMean"),
    koleo: make([1], "koleo"),
  };
}

/** Room for the sums of a batch that comes at once. */
export function emptySums(gpu: Gpu, sizes: SumSizes): LossSums {
  return sumsOf(sizes, (shape, name) => gpu.empty(shape, name));
}

/** Zero-filled sums that live until destroyed: parts of one tensor, `all`, to be cleared at once. */
export function packedSums(gpu: Gpu, sizes: SumSizes): LossSums & { all: Tensor } {
  const { globals, views, outDim } = sizes;
  const align = gpu.alignment / 4;
  const room = (size: number) => Math.ceil(size / align) * align;
  const size = [globals * views, globals, outDim, outDim, 1].reduce((sum, n) => sum + room(n), 0);
  const all = gpu.persistent([size], "sums of the loss");
  let start = 0;
  const view = (shape: number[]) => {
    const part = all.view(shape, start);
    start += room(sizeOf(shape));
    return part;
  };
  return { ...sumsOf(sizes, view), all };
}
