/**
 * Pictures of a step.
 *
 * @module
 */

/** Most pictures of a batch: all recipes that were measured on few pictures have as many, or half of it. */
export const MOST_PICTURES = 64;

/**
 * Pictures of a batch that suit a data set, memory aside: a power of two up to 64, or all pictures where there are
 * fewer than 8.
 *
 * A quarter of the pictures at most, so that an epoch has four steps and no batch is nearly the whole set. As many
 * as that allows: each picture of a batch is a negative of all others for the contrastive term, and the centre and
 * the gradient of DINO's loss are means over them.
 *
 * @param pictures Pictures of the data set.
 * @param accumulationSteps Batches of a step.
 *
 * @example
 * ```ts
 * import { fittingBatch } from "./batch.ts";
 *
 * console.assert(fittingBatch(300) === 64 && fittingBatch(100) === 16 && fittingBatch(5) === 5);
 * ```
 */
export function fittingBatch(pictures: number, accumulationSteps: number = 1): number {
  const all = Math.floor(pictures / accumulationSteps);
  const quarter = 2 ** Math.floor(Math.log2(Math.max(1, all / 4)));
  return Math.max(1, Math.min(MOST_PICTURES, Math.max(8, quarter), all));
}
