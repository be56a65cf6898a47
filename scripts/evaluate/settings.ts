/**
 * From a configuration to pictures and settings of an evaluation.
 *
 * @module
 */
import type { Config, Override } from "../../lib/config.ts";
import type { Dataset, Progress } from "../../lib/data/dataset.ts";
import { openDataset } from "../../lib/data/open.ts";
import { datasetOptionsOf } from "../train/settings.ts";

/** Keys that say which pictures are meant. */
const WHICH = ["data.path", "data.dataset"];

/** Whether the command line asks for other pictures than the run's. */
export function hasOtherPictures(overrides: readonly Override[]): boolean {
  return overrides.some(({ key }) => WHICH.includes(key));
}

/**
 * The configuration for other pictures than those of the run: kind, side and test set of the run's do not apply
 * to them.
 */
export function withOtherPictures(config: Config, overrides: readonly Override[]): Config {
  const keeps = (key: string) => overrides.some((override) => override.key === key);
  const { data, evaluation } = config;
  return {
    ...config,
    data: {
      ...data,
      dataset: keeps("data.dataset") ? data.dataset : undefined!,
      path: keeps("data.path") ? data.path : null,
      split: keeps("data.split") ? data.split : "all",
    },
    evaluation: {
      ...evaluation,
      test_path: keeps("evaluation.test_path") ? evaluation.test_path : null,
    },
  };
}

/**
 * The pictures to judge, where they are not those that answer: `evaluation.test_path`, or the validation side of
 * a set whose training side (`data.split: train`) is in use.
 *
 * @returns undefined where every picture is judged by all others.
 */
export async function openTest(
  config: Config,
  onProgress?: Progress,
): Promise<Dataset | undefined> {
  const { test_path: path } = config.evaluation;
  const options = { ...datasetOptionsOf(config), cacheBytes: 0, onProgress };
  if (path !== null) {
    return await openDataset({ ...options, dataset: undefined, path, split: "all" });
  }
  if (config.data.split === "train") return await openDataset({ ...options, split: "val" });
}

/** Options of the evaluation, but for what is said meanwhile. */
export function evaluationOptionsOf({ augmentation, evaluation, training }: Config) {
  return {
    batchSize: evaluation.batch_size,
    seed: training.seed,
    views: evaluation.view_retrieval,
    mean: [...augmentation.normalize_mean],
    std: [...augmentation.normalize_std],
    knnK: evaluation.knn_k,
    knnTemperature: evaluation.knn_temperature,
    linearEpochs: evaluation.linear_epochs,
    maxImages: evaluation.max_images,
  };
}
