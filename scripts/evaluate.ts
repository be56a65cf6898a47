/**
 * What a model's features are worth:
 * `deno task evaluate RUN|WEIGHTS [--config FILE] [--data.path DIR] [--patches] [--features F.npy] [--json]`.
 *
 * @module
 */
import { join } from "node:path";
import { Command } from "commander";
import { parseOverrides } from "../lib/config.ts";
import type { Dataset } from "../lib/data/dataset.ts";
import { openDataset } from "../lib/data/open.ts";
import { HatchlingError } from "../lib/errors.ts";
import { type Encoder, pixelEncoder, vitEncoder } from "../lib/eval/encode.ts";
import { type Figure, figureTable, measureFeatures } from "../lib/eval/evaluate.ts";
import { patchEncoder } from "../lib/eval/patches.ts";
import { encodeSides } from "../lib/eval/sides.ts";
import { ensureAdapter } from "../lib/gpu/bootstrap.ts";
import { openGpu } from "../lib/gpu/mod.ts";
import { writeFileAtomic } from "../lib/io/atomic.ts";
import { readFile } from "../lib/io/files.ts";
import { Parameters } from "../lib/model/mod.ts";
import { checkFeaturesPath, patchesPath, writeFeatures } from "./evaluate/features_file.ts";
import { loadModel, type ModelRequest } from "./evaluate/model.ts";
import { evaluationOptionsOf, hasOtherPictures, openTest } from "./evaluate/settings.ts";
import { Progress } from "./train/progress.ts";
import { datasetOptionsOf } from "./train/settings.ts";

interface Options extends Pick<ModelRequest, "config" | "checkpoint" | "student"> {
  features?: string;
  patches?: boolean;
  pixels?: boolean;
  json?: boolean;
}

async function main(): Promise<void> {
  const { overrides, rest } = parseOverrides([...Deno.args]);
  const command = new Command("evaluate")
    .description("Measures the features of a run, a checkpoint or a file of weights.")
    .argument("<model>", "a run's folder, or a safetensors file")
    .option("--config <file>", "configuration of the model, where it isn't that of the run")
    .option("--checkpoint <file>", "a checkpoint of the run, not its result")
    .option("--student", "the student, not the teacher")
    .option(
      "--features <file>",
      "write the features as .npy, with ids and labels beside it as .csv",
    )
    .option(
      "--patches",
      "measure patch tokens beside it: the cells of a grid of at most 4 × 4, side by side",
    )
    .option("--pixels", "measure raw 16 × 16 pixels beside it")
    .option("--json", "one object instead of a table")
    .addHelpText(
      "after",
      "\nAny key of the configuration: --data.path DIR, --evaluation.test_path DIR, --data.split train",
    )
    .parse(rest, { from: "user" });
  const options = command.opts<Options>();
  if (options.features) checkFeaturesPath(options.features);
  const loaded = await loadModel({ path: command.args[0], ...options, overrides });
  const { config } = loaded;

  const progress = new Progress();
  const onProgress = (done: number, total: number, doing: string) =>
    progress.show(`${doing}: ${done}${total ? ` of ${total}` : ""}`);
  await ensureAdapter();
  const dataset = await openDataset({ ...datasetOptionsOf(config), onProgress });
  const test = await openTest(config, onProgress);
  const gpu = await openGpu({ limits: config.device.limits });
  const weights = new Parameters(gpu, loaded.model.specs());
  weights.load(loaded.weights);
  const { vit } = loaded.model, { features } = options;
  // With where its features are to be written, if anywhere.
  const encoders: (Encoder & { file?: string })[] = [
    { ...vitEncoder(gpu, loaded.name, vit, weights), file: features },
  ];
  if (options.patches) {
    const file = features && patchesPath(features);
    encoders.push({ ...patchEncoder(gpu, `${loaded.name} (patches)`, vit, weights), file });
  }
  if (options.pixels) encoders.push(pixelEncoder(config.model.in_chans));

  const settings = evaluationOptionsOf(config);
  const start = performance.now();
  const sides = await encodeSides(gpu, dataset, encoders, {
    ...settings,
    test,
    onProgress: (done) => progress.show(`encoding: ${done} pictures`),
  });
  const encoded = performance.now();
  const figures: Figure[] = [], notes = notesOf([dataset, ...test ? [test] : []]);
  for (const [e, both] of sides.entries()) {
    const { name, file } = encoders[e];
    const measured = await measureFeatures(gpu, both, name, {
      ...settings,
      probes: true,
      onMeasure: (what) => progress.show(`${name}: ${what}`),
      onNote: (text) => void (notes.includes(text) || notes.push(text)),
    });
    figures.push(...measured.figures);
    if (file) {
      const files = await writeFeatures(file, both, measured.clusters);
      notes.push(`features are in ${files.join(", ")}`);
    }
  }
  progress.end();
  const seconds = [(encoded - start) / 1000, (performance.now() - encoded) / 1000];
  if (loaded.folder !== undefined) {
    if (hasOtherPictures(overrides)) {
      notes.push("evaluation.json of the run keeps the figures of its own pictures");
    } else await addFigures(join(loaded.folder, "evaluation.json"), figures);
  }

  const { gallery, test: judged } = sides[0];
  const pictures = gallery.encoded.indices.length, tested = judged?.encoded.indices.length;
  if (options.json) {
    const from = { weights: loaded.file, data: dataset.name, pictures, test: test?.name, tested };
    console.log(JSON.stringify({ ...from, figures, notes, seconds }, null, 2));
  } else {
    const judge = test ? `, judging ${tested} of ${test.name}` : "";
    console.log(`${loaded.file}\n${pictures} pictures of ${dataset.name}${judge}\n`);
    console.log(figureTable(figures));
    for (const note of notes) console.error(`note: ${note}`);
    const [encoding, measuring] = seconds.map((s) => s.toFixed(1));
    console.error(`${encoding} s to encode, ${measuring} s to measure`);
  }
  for (const set of [dataset, test]) set?.close?.();
  gpu.destroy();
}

/** What was left out of the pictures. */
function notesOf(sets: readonly Dataset[]): string[] {
  return sets.flatMap(({ name, skipped }) => {
    if (!skipped.length) return [];
    const [{ file, reason }] = skipped;
    return [`${skipped.length} files of ${name} could not be used, ${file} for one: ${reason}`];
  });
}

/** Puts figures in the place of those of the same encoders; what else the file holds stays. */
async function addFigures(path: string, figures: readonly Figure[]): Promise<void> {
  let before: Figure[] = [];
  try {
    before = JSON.parse(new TextDecoder().decode(await readFile(path)));
  } catch {
    // Not there yet, or no list of figures any more: this makes one.
  }
  if (!Array.isArray(before)) before = [];
  const encoders = new Set(figures.map(({ encoder }) => encoder));
  const all = [...figures, ...before.filter(({ encoder }) => !encoders.has(encoder))];
  await writeFileAtomic(path, new TextEncoder().encode(JSON.stringify(all, null, 2) + "\n"));
}

try {
  await main();
  Deno.exit(0);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
