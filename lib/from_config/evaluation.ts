/**
 * From a configuration to pictures and settings of an evaluation.
 *
 * @module
 */
import type { Config, Override } from "../config.ts";
import type { Dataset, Progress } from "../data/dataset.ts";
import { openDataset } from "../data/open.ts";
import { datasetOptionsOf } from "../from_config.ts";
import { encodingOf } from "./readout.ts";

/** Keys that say which pictures are meant. */
const WHICH = ["data.path", "data.dataset"];

/** Whether the command line asks for other pictures than the run's. */
export function hasOtherPictures(overrides: readonly Override[]): boolean {
  return overrides.some(({ key }) => WHICH.includes(key));
}

/** What a run's configuration says of its own pictures. */
const OWN = {
  "data.dataset": "null",
  "data.path": "null",
  "data.split": "all",
  "evaluation.test_path": "null",
};

/** A command line that names other pictures also takes back what the run's configuration says of its own. */
export function forOtherPictures(overrides: readonly Override[]): Override[] {
  if (!hasOtherPictures(overrides)) return [...overrides];
  return [...Object.entries(OWN).map(([key, value]) => ({ key, value })), ...overrides];
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

/** Whether there are such pictures. */
export function hasTest({ data, evaluation }: Config): boolean {
  return evaluation.test_path !== null || data.split === "train";
}

/** Options of the evaluation, but for what is said meanwhile. */
export function evaluationOptionsOf(config: Config) {
  const { evaluation } = config;
  return {
    ...encodingOf(config),
    views: evaluation.view_retrieval,
    knnK: evaluation.knn_k,
    knnTemperature: evaluation.knn_temperature,
    linearEpochs: evaluation.linear_epochs,
    maxImages: evaluation.max_images,
  };
}
