/**
 * The pictures that a configuration names, for tools that do not train.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { DamagedPictureError, type Dataset } from "../../lib/data/dataset.ts";
import { type Picture, withChannels } from "../../lib/data/image.ts";
import { openDataset } from "../../lib/data/open.ts";
import type { Progress } from "../train/progress.ts";

/** Opens the data set of a configuration. Nothing is kept in memory: each picture is needed once. */
export async function openConfigured({ data }: Config, progress: Progress): Promise<Dataset> {
  const dataset = await openDataset({
    dataset: data.dataset,
    path: data.path ?? undefined,
    maxPixels: data.max_pixels,
    cacheBytes: 0,
    numWorkers: data.num_workers,
    onProgress: (done, total) => progress.show(`opening: ${done} of ${total} files`),
  });
  progress.end();
  return dataset;
}

/** The picture as the model sees it; undefined when it is damaged. */
export async function soundPicture(
  dataset: Dataset,
  i: number,
  channels: number,
): Promise<Picture | undefined> {
  try {
    return withChannels(await dataset.picture(i), channels);
  } catch (error) {
    if (error instanceof DamagedPictureError) return undefined;
    throw error;
  }
}

/** Indices evenly spread over a data set: `n` of them, or all where there are fewer. */
export function spreadIndices(length: number, n: number): number[] {
  n = Math.min(n, length);
  return Array.from({ length: n }, (_, k) => Math.floor(k * length / n));
}
