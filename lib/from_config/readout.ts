/**
 * What is read out of a model, and how pictures come to it.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { Readout } from "../eval/readout.ts";

/** What is read out of a model to judge, embed and search pictures. */
export function readoutOf({ evaluation }: Pick<Config, "evaluation">): Required<Readout> {
  const { feature, last_blocks: lastBlocks, combine_blocks: combine } = evaluation;
  return { feature, lastBlocks, combine };
}

/** How pictures come to the encoders: so many at once, normalised as in training. */
export function encodingOf(
  { augmentation, evaluation, training }: Pick<Config, "augmentation" | "evaluation" | "training">,
): { batchSize: number; seed: number; mean: number[]; std: number[] } {
  return {
    batchSize: evaluation.batch_size,
    seed: training.seed,
    mean: [...augmentation.normalize_mean],
    std: [...augmentation.normalize_std],
  };
}
