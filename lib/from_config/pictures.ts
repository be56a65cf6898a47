/**
 * The pictures that a configuration names, for tools that do not train.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { Dataset } from "../data/dataset.ts";
import { openDataset } from "../data/open.ts";
import type { ProgressLine } from "../progress.ts";
import { datasetOptionsOf } from "../from_config.ts";

export { soundPicture, spreadIndices } from "../data/some.ts";

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
