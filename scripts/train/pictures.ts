/**
 * The pictures of a run.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import { Loader } from "../../lib/data/loader.ts";
import { openDataset } from "../../lib/data/open.ts";
import type { Progress } from "./progress.ts";

/** The data set, its batches, and what names the damaged files found since it was last called. */
export interface Pictures {
  /** The pictures. */
  dataset: Dataset;
  /** Their batches. */
  loader: Loader;
  /** Says which files turned out to be damaged since the last call. */
  nameSkipped: () => void;
}

/** Opens the data set that a configuration names, and says what it holds. */
export async function openPictures(
  { data, training }: Config,
  progress: Progress,
): Promise<Pictures> {
  const dataset = await openDataset({
    dataset: data.dataset,
    path: data.path ?? undefined,
    maxPixels: data.max_pixels,
    cacheBytes: data.cache_bytes,
    numWorkers: data.num_workers,
    onProgress: (done, total) => progress.show(`decoding ${done} of ${total} pictures`),
  });
  const loader = new Loader(dataset, { batchSize: data.batch_size, seed: training.seed });
  progress.end();
  const { length, name, skipped } = dataset;
  console.error(
    `data: ${length} pictures from ${name}, ${loader.stepsPerEpoch} steps an epoch` +
      (skipped.length ? `; ${skipped.length} damaged files skipped` : ""),
  );
  let named = 0;
  const nameSkipped = () => {
    for (; named < skipped.length; named++) {
      const { file, reason } = skipped[named];
      progress.say(`skipped: ${file}: ${reason}`);
    }
  };
  nameSkipped();
  return { dataset, loader, nameSkipped };
}
