/**
 * What the loss leaves of a batch, as means over its pictures: they add up where a batch comes in parts.
 *
 * @module
 */
import { type Gpu, sizeOf, type Tensor } from "../gpu/mod.ts";
import { columnSum, rowSum } from "../ops/reduce.ts";

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

/** G, V and K. */
export interface SumSizes {
  /** Global views. */
  globals: number;
  /** All views. */
  views: number;
  /** Output dimensions. */
  outDim: number;
}

const shapesOf = ({ globals, views, outDim }: SumSizes): Record<keyof LossSums, number[]> => ({
  pairLoss: [globals, views],
  entropy: [globals],
  meanTeacher: [outDim],
  batchMean: [outDim],
  koleo: [1],
});

/** Room for the sums of a batch in one part. */
export function emptySums(gpu: Gpu, sizes: SumSizes): LossSums {
  const shapes = Object.entries(shapesOf(sizes));
  return Object.fromEntries(
    shapes.map(([name, shape]) => [name, gpu.empty(shape, name)]),
  ) as unknown as LossSums;
}

/** Zero-filled sums that live until destroyed: parts of one tensor, `all`, to be cleared at once. */
export function packedSums(gpu: Gpu, sizes: SumSizes): LossSums & { all: Tensor } {
  const align = gpu.alignment / 4;
  let size = 0;
  const places = Object.entries(shapesOf(sizes)).map(([name, shape]) => {
    const start = size;
    size += Math.ceil(sizeOf(shape) / align) * align;
    return { name, shape, start };
  });
  const all = gpu.persistent([size], "sums of the loss");
  const views = places.map(({ name, shape, start }) => [name, all.view(shape, start)]);
  return { ...Object.fromEntries(views) as LossSums, all };
}

/** Σ over each row of x [R, C] times `scale`, into `out` [R] or added to it. */
export function sumRows(
  gpu: Gpu,
  x: Tensor,
  { out, scale, accumulate }: { out: Tensor; scale?: number; accumulate: boolean },
): void {
  const sums = rowSum(gpu, x, { out: accumulate ? undefined : out, scale });
  if (accumulate) columnSum(gpu, sums.view([1, sums.size]), { out, accumulate });
}
