/**
 * What a model's features are worth:
 * `deno task evaluate RUN|WEIGHTS [--config FILE] [--data.path DIR] [--features F.npy] [--json]`.
 *
 * @module
 */
import { Command } from "commander";
import { parseOverrides } from "../lib/config.ts";
import type { Dataset } from "../lib/data/dataset.ts";
import { openDataset } from "../lib/data/open.ts";
import { HatchlingError } from "../lib/errors.ts";
import {
  type EncodedPictures,
  encodePictures,
  pixelEncoder,
  vitEncoder,
} from "../lib/eval/encode.ts";
import { ensureAdapter } from "../lib/gpu/bootstrap.ts";
import { openGpu } from "../lib/gpu/mod.ts";
import { writeFileAtomic } from "../lib/io/atomic.ts";
import { encodeNpy } from "../lib/io/npy.ts";
import { Rng } from "../lib/rng.ts";
import { type Measure, measure, measureTable } from "./evaluate/measures.ts";
import { loadModel } from "./evaluate/model.ts";
import { Progress } from "./train/progress.ts";
import { datasetOptionsOf } from "./train/settings.ts";

async function main(): Promise<void> {
  const { overrides, rest } = parseOverrides([...Deno.args]);
  const command = new Command("evaluate")
    .description("Measures the features of a run, a checkpoint or a file of weights.")
    .argument("<model>", "a run's folder, or a safetensors file")
    .option("--config <file>", "configuration of the model, where it isn't that of the run")
    .option(
      "--features <file>",
      "write the features as .npy, with ids and labels beside it as .csv",
    )
    .option("--pixels", "measure raw 16 × 16 pixels beside it")
    .option("--json", "one object instead of a table")
    .addHelpText("after", "\nAny key of the configuration: --data.path DIR, --evaluation.knn_k 20")
    .parse(rest, { from: "user" });
  const options = command.opts<
    { config?: string; features?: string; pixels?: boolean; json?: boolean }
  >();
  const progress = new Progress();
  await ensureAdapter();
  const { gpu, config, model, weights, source } = await loadModel(
    command.args[0],
    options.config,
    overrides,
    {
      open: (limits) => openGpu({ limits }),
    },
  );
  const dataset = await openDataset({
    ...datasetOptionsOf(config),
    onProgress: (done, total, doing) =>
      progress.show(`${doing}: ${done}${total ? ` of ${total}` : ""}`),
  });
  const { evaluation, training, augmentation } = config;
  const all = new Rng(training.seed, 0xe7a1).permutation(dataset.length);
  const asked = all.subarray(0, evaluation.max_images ?? dataset.length).slice().sort();
  const encoders = [vitEncoder(gpu, "model", model.vit, weights)];
  if (options.pixels) encoders.push(pixelEncoder(config.model.in_chans));
  const encoded = await encodePictures(gpu, dataset, asked, encoders, {
    batchSize: evaluation.batch_size,
    seed: training.seed,
    views: evaluation.view_retrieval,
    mean: augmentation.normalize_mean,
    std: augmentation.normalize_std,
    onProgress: (done) => progress.show(`encoding: ${done} of ${asked.length} pictures`),
  });
  if (options.features) await writeFeatures(options.features, dataset, encoded[0]);
  const found: Record<string, Measure[]> = {};
  for (const [e, features] of encoded.entries()) {
    found[encoders[e].name] = await measure(gpu, dataset, features, {
      knnK: evaluation.knn_k,
      knnTemperature: evaluation.knn_temperature,
      seed: training.seed,
      onProgress: (what) => progress.show(`${encoders[e].name}: ${what}`),
    });
  }
  progress.end();
  const pictures = encoded[0].indices.length;
  if (options.json) {
    console.log(JSON.stringify({ source, data: dataset.name, pictures, measures: found }, null, 2));
  } else {
    console.log(`${source} on ${pictures} pictures of ${dataset.name}\n`);
    console.log(measureTable(found));
  }
  const { skipped } = dataset;
  if (skipped.length) {
    console.error(
      `${skipped.length} files could not be used, ${skipped[0].file} for one: ${skipped[0].reason}`,
    );
  }
  dataset.close?.();
}

/** Features as .npy, and index, id and labels of each row as CSV. */
async function writeFeatures(path: string, dataset: Dataset, { whole, indices }: EncodedPictures) {
  if (!path.endsWith(".npy")) {
    throw new HatchlingError(
      `Expected a name that ends with .npy after --features but found ${path}`,
    );
  }
  await writeFileAtomic(path, encodeNpy(whole.data, whole.shape));
  const quote = (text: string) => /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const labels = Object.entries(dataset.labels ?? {});
  const rows = indices.map((i) =>
    [String(i), dataset.id(i), ...labels.map(([, { values, names }]) => names[values[i]])].map(
      quote,
    ).join(",")
  );
  const head = ["index", "id", ...labels.map(([kind]) => kind)].map(quote).join(",");
  const text = [head, ...rows].map((row) => row + "\n").join("");
  await writeFileAtomic(path.replace(/\.npy$/, ".csv"), new TextEncoder().encode(text));
}

try {
  await main();
  Deno.exit(0);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
