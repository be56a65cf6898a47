/**
 * What a run has learned, beside the same model before training and the pixels themselves.
 *
 * @module
 */
import { join } from "node:path";
import type { Config } from "../../lib/config.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import { pixelEncoder, vitEncoder } from "../../lib/eval/encode.ts";
import { evaluate, figureTable } from "../../lib/eval/evaluate.ts";
import type { Gpu } from "../../lib/gpu/mod.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { type DinoModel, initialize, Parameters } from "../../lib/model/mod.ts";
import type { Progress } from "./progress.ts";

/** What is judged. */
export interface Judged {
  /** The configuration of the run. */
  config: Config;
  /** Its pictures. */
  dataset: Dataset;
  /** Its model. */
  model: DinoModel;
  /** The weights to judge. */
  teacher: Parameters;
  /** Folder of the run. */
  folder: string;
  /** Where to say how far it is. */
  progress: Progress;
}

/** Evaluates the teacher, writes evaluation.json and prints the figures as a table. */
export async function judge(gpu: Gpu, judged: Judged): Promise<void> {
  const { config, dataset, model, teacher, folder, progress } = judged;
  const { augmentation, evaluation, training } = config;
  const initial = new Parameters(gpu, model.specs());
  initial.load(initialize(model.specs(), training.seed));
  const figures = await evaluate(gpu, dataset, [
    vitEncoder(gpu, "teacher", model.vit, teacher),
    vitEncoder(gpu, "random init", model.vit, initial),
    pixelEncoder(config.model.in_chans),
  ], {
    batchSize: evaluation.batch_size,
    seed: training.seed,
    views: evaluation.view_retrieval,
    mean: [...augmentation.normalize_mean],
    std: [...augmentation.normalize_std],
    knnK: evaluation.knn_k,
    knnTemperature: evaluation.knn_temperature,
    maxImages: evaluation.max_images,
    onProgress: (done) =>
      progress.show(`evaluating: ${done} of ${evaluation.max_images ?? dataset.length} pictures`),
  });
  progress.end();
  initial.destroy();
  const text = JSON.stringify(figures, null, 2) + "\n";
  await writeFileAtomic(join(folder, "evaluation.json"), new TextEncoder().encode(text));
  console.log(figureTable(figures));
}
