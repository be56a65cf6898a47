/**
 * What a step is made of, in words.
 *
 * @module
 */
import { augmentationOptions, type AugmentOp, sampleView } from "../augmentation.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Loader } from "../data/loader.ts";
import type { FeedOptions } from "./feed.ts";

/** A picture of a step, and what is done to it. */
export interface FedPicture {
  /** Its index in the data set. */
  image: number;
  /** Its name. */
  id: string;
  /** The operations of every view, globals first. */
  views: readonly AugmentOp[][];
}

/** Tells the pictures of a step, from 0, as a feed with these options brings them. */
export async function describeStep(
  loader: Pick<Loader, "batch">,
  dataset: Pick<Dataset, "id">,
  { augmentation, accumulationSteps = 1, seed }: FeedOptions,
  step: number,
): Promise<FedPicture[]> {
  const options = augmentationOptions(augmentation);
  const count = options.nGlobalCrops + options.numLocalViews;
  const pictures: FedPicture[] = [];
  for (let m = 0; m < accumulationSteps; m++) {
    const { epoch, indices, table } = await loader.batch(step * accumulationSteps + m);
    indices.forEach((image, b) => {
      const [width, height] = [table[4 * b + 1], table[4 * b + 2]];
      const address = { seed, epoch, image, width, height };
      const views = Array.from(
        { length: count },
        (_, view) => sampleView(options, { ...address, view }).ops,
      );
      pictures.push({ image, id: dataset.id(image), views });
    });
  }
  return pictures;
}
