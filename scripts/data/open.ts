/**
 * The pictures that a configuration names, for tools that do not train.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { DamagedPictureError, type Dataset } from "../../lib/data/dataset.ts";
import type { Picture } from "../../lib/data/image.ts";
import { openDataset } from "../../lib/data/open.ts";
import type { Progress } from "../train/progress.ts";
import { datasetOptionsOf } from "../train/settings.ts";

/** Opens the data set of a configuration. Nothing is kept in memory: each picture is needed once. */
export async function openConfigured(config: Config, progress: Progress): Promise<Dataset> {
  const dataset = await openDataset({
    ...datasetOptionsOf(config),
    cacheBytes: 0,
    onProgress: (done, total, doing) => progress.show(opening(done, total, doing)),
  });
  progress.end();
  return dataset;
}

/** A line of progress while a data set is opened. */
export function opening(done: number, total: number | undefined, doing: string): string {
  return total ? `${doing}: ${done} of ${total}` : `${doing}: ${done}`;
}

/** The picture at an index; undefined when it is damaged. */
export async function soundPicture(dataset: Dataset, i: number): Promise<Picture | undefined> {
  try {
    return await dataset.picture(i);
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
