/**
 * The pictures that a configuration names, for tools that do not train.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { DamagedPictureError, type Dataset } from "../data/dataset.ts";
import type { Picture } from "../data/image.ts";
import { openDataset } from "../data/open.ts";
import { Rng } from "../rng.ts";
import type { ProgressLine } from "../progress.ts";
import { datasetOptionsOf } from "../from_config.ts";

/** Opens the data set of a configuration. Nothing is kept in memory: each picture is needed once. */
export async function openConfigured(config: Config, progress: ProgressLine): Promise<Dataset> {
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

/**
 * Indices spread over a data set: one at random in each of `n` equal parts, or all where there are fewer. At
 * random, as sets are often in an order that repeats; always the same ones.
 */
export function spreadIndices(length: number, n: number): number[] {
  n = Math.min(n, length);
  const rng = new Rng(0);
  return Array.from({ length: n }, (_, k) => {
    const from = Math.floor(k * length / n), to = Math.floor((k + 1) * length / n);
    return from + rng.int(to - from);
  });
}
