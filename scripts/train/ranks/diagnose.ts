/**
 * Which tensor of a step was the first with a number that is not finite, on one rank.
 *
 * @module
 */
import { HatchlingError } from "../../../lib/errors.ts";
import { feedOptionsOf, precisionOf } from "../../../lib/from_config.ts";
import { firstNonFinite, type NonFinite } from "../../../lib/non_finite.ts";
import { describeStep, type FedPicture } from "../../../lib/train/describe.ts";
import type { RankParts } from "./parts.ts";

/** What a rank finds when it makes its part of a step again. */
export interface Diagnosis {
  /** The first tensor of its forward pass with such a number, when there is one. */
  first?: NonFinite;
  /** Its pictures. */
  pictures: FedPicture[];
}

/** Looks through the forward pass of a step, from 0. */
export async function lookInto(parts: RankParts, step: number): Promise<Diagnosis> {
  const { config, loader, pictures: { dataset } } = parts;
  const first = await firstOf(parts, step);
  return { first, pictures: await describeStep(loader, dataset, feedOptionsOf(config), step) };
}

async function firstOf(parts: RankParts, step: number): Promise<NonFinite | undefined> {
  const { config, feed, gpu, model, progress, trainer } = parts;
  const { student, teacher } = trainer;
  const { seed } = config.training;
  try {
    for (let m = 0; m < feed.accumulationSteps; m++) {
      await feed.microBatch(step, m);
      const crops = gpu.scope(() => feed.views());
      const microBatch = { batch: feed.batchSize, ...trainer.share(m) };
      const dropPath = { seed, step, microBatch };
      const { masks } = feed;
      const inputs = { model, student, teacher, crops, masks, dropPath };
      const found = await firstNonFinite(gpu, { ...inputs, precision: precisionOf(config, gpu) });
      for (const tensor of crops) tensor.destroy();
      if (found) return found;
    }
  } catch (error) {
    // Memory for another forward pass may be missing.
    if (!(error instanceof HatchlingError)) throw error;
    progress.say(`note: what held the first such number was not found: ${error.message}`);
  }
}
