/**
 * The pictures of a run.
 *
 * @module
 */
import { join } from "node:path";
import type { Config } from "../../lib/config.ts";
import type { Dataset, SkippedFile } from "../../lib/data/dataset.ts";
import { datasetFingerprint } from "../../lib/data/fingerprint.ts";
import { Loader } from "../../lib/data/loader.ts";
import { openDataset } from "../../lib/data/open.ts";
import { fileError } from "../../lib/io/files.ts";
import type { Progress } from "./progress.ts";
import { datasetOptionsOf } from "./settings.ts";

/** Skipped files that are named one by one; skipped.jsonl holds all. */
const NAMED = 10;

/** The data set, and what names the damaged files found since it was last called. */
export interface Pictures {
  /** The pictures. */
  dataset: Dataset;
  /** Tells whether they are those of before. */
  fingerprint: string;
  /** Lists the files that turned out to be damaged since the last call. */
  nameSkipped: () => void;
}

/**
 * Opens the data set that a configuration names, and says what it holds. Files left out are listed in
 * skipped.jsonl of the run's folder: `{"file": …, "reason": …}` per line.
 */
export async function openPictures(
  config: Config,
  folder: string,
  progress: Progress,
): Promise<Pictures> {
  const dataset = await openDataset({
    ...datasetOptionsOf(config),
    onProgress: (done, total, doing) =>
      progress.show(total ? `${doing}: ${done} of ${total}` : `${doing}: ${done}`),
  });
  const fingerprint = await datasetFingerprint(dataset);
  progress.end();
  const { length, name, skipped } = dataset;
  console.error(
    `data: ${length} pictures from ${name}` +
      (skipped.length ? `; ${skipped.length} files skipped` : ""),
  );
  const list = join(folder, "skipped.jsonl");
  const write = (files: readonly SkippedFile[], append: boolean) => {
    try {
      const rows = files.map((file) => JSON.stringify(file) + "\n").join("");
      Deno.writeTextFileSync(list, rows, { append });
    } catch (error) {
      throw fileError("write", list, error);
    }
  };
  write([], false);
  let named = 0;
  const nameSkipped = () => {
    if (named === skipped.length) return;
    const fresh = skipped.slice(named);
    try {
      write(fresh, true);
    } catch (error) {
      progress.say(`warning: ${(error as Error).message}; training goes on`);
    }
    for (const { file, reason } of fresh.slice(0, Math.max(0, NAMED - named))) {
      progress.say(`skipped: ${file}: ${reason}`);
    }
    if (named <= NAMED && skipped.length > NAMED) {
      progress.say(`skipped: ${skipped.length - NAMED} more; all are listed in ${list}`);
    }
    named = skipped.length;
  };
  nameSkipped();
  return { dataset, fingerprint, nameSkipped };
}

/** The batches of a data set. */
export function loaderOf(dataset: Dataset, { data, training }: Config): Loader {
  return new Loader(dataset, {
    batchSize: data.batch_size,
    accumulationSteps: training.gradient_accumulation_steps,
    seed: training.seed,
  });
}
