/**
 * What a model's features are worth:
 * `deno task evaluate RUN|WEIGHTS [--config FILE] [--data.path DIR] [--feature WORD] [--features F.npy] [--json]`.
 *
 * @module
 */
import { join } from "node:path";
import { Command } from "commander";
import { type Config, parseOverrides } from "../../lib/config.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import { sortLeftOut } from "../../lib/data/left_out.ts";
import { openDataset } from "../../lib/data/open.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { type Encoder, pixelEncoder } from "../../lib/eval/encoder.ts";
import { type Figure, figureTable, measureFeatures } from "../../lib/eval/evaluate.ts";
import { featureEncoders } from "../../lib/eval/feature_encoder.ts";
import { encoderName, type Readout, readoutName } from "../../lib/eval/readout.ts";
import { encodeSides } from "../../lib/eval/sides.ts";
import { ensureAdapter } from "../../lib/adapter.ts";
import { openGpu } from "../../lib/gpu.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { readFile } from "../../lib/io/files.ts";
import { Parameters } from "../../lib/model.ts";
import { shown } from "../../lib/text.ts";
import { AtomicFile } from "../../lib/io/atomic_file.ts";
import { besidePath, checkFeaturesPath, featuresOutputs, writeFeatures } from "./features_file.ts";
import { type LoadedModel, loadModel, type ModelRequest } from "../../lib/open_model/load.ts";
import {
  evaluationOptionsOf,
  hasOtherPictures,
  hasTest,
  openTest,
} from "../../lib/from_config/evaluation.ts";
import { featureOption, featureOverride } from "../common/feature_option.ts";
import { claimOutputs } from "../common/outputs.ts";
import { print, printJson, runCommand, say } from "../common/terminal.ts";
import { Progress } from "../common/progress.ts";
import { datasetOptionsOf, readoutOf } from "../../lib/from_config.ts";

interface Options extends Pick<ModelRequest, "checkpoint" | "student"> {
  config?: string;
  features?: string;
  overwrite: boolean;
  feature?: string;
  pixels: boolean;
  json?: boolean;
}

async function main(): Promise<void> {
  const { overrides: given, rest } = parseOverrides([...Deno.args]);
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
    .option("--overwrite", "replace what is at --features, whoever made it", false)
    .addOption(
      featureOption(
        "measure this feature alone (default: class, those of the configuration, and grid)",
      ),
    )
    .option("--no-pixels", "leave out raw 16 × 16 pixels, which are measured beside it")
    .option("--json", "one object instead of a table")
    .addHelpText(
      "after",
      "\nAny key of the configuration: --data.path DIR, --evaluation.test_path DIR, --data.split train",
    )
    .parse(rest, { from: "user" });
  const options = command.opts<Options>();
  const { features } = options;
  const overrides = [...given, ...featureOverride(options)];
  if (features !== undefined) checkFeaturesPath(features);
  const progress = new Progress();
  const onWarning = (message: string) => progress.say(`warning: ${message}`);
  const loaded = await loadModel({ path: command.args[0], ...options, overrides, onWarning });
  const { config } = loaded;
  const readouts = readoutsOf(config, overrides.some(({ key }) => key === "evaluation.feature"));
  // Where features are to be written, if anywhere: the configuration's own under the name that was given.
  const own = readoutName(readoutOf(config));
  const files = readouts.map((one) =>
    features === undefined || readoutName(one) === own
      ? features
      : besidePath(features, one.feature)
  );
  claimFeatures(files.filter((path) => path !== undefined), command.args[0], loaded, options);

  const onProgress = (done: number, total: number, doing: string) =>
    progress.show(`${doing}: ${done}${total ? ` of ${total}` : ""}`);
  const dataset = await openDataset({ ...datasetOptionsOf(config), onProgress });
  const test = await openTest(config, onProgress);
  await ensureAdapter();
  const gpu = await openGpu({ limits: config.device.limits });
  const weights = new Parameters(gpu, loaded.model.specs());
  weights.load(loaded.weights);
  const { vit } = loaded.model;
  const named = readouts.map((one) => ({ ...one, name: encoderName(loaded.name, one) }));
  const encoders: Encoder[] = featureEncoders(gpu, vit, weights, named);
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
  const failures: string[] = []; // of files that were asked for
  for (const [e, both] of sides.entries()) {
    const { name } = encoders[e], file = files[e];
    const measured = await measureFeatures(gpu, both, name, {
      ...settings,
      probes: true,
      onMeasure: (what) => progress.show(`${name}: ${what}`),
      onNote: (text) => void (notes.includes(text) || notes.push(text)),
    });
    figures.push(...measured.figures);
    if (file === undefined) continue;
    const failure = await attempt(async () => {
      const written = await writeFeatures(file, both, measured.clusters);
      notes.push(`features (${readoutName(readouts[e])}) are in ${written.join(", ")}`);
    });
    if (failure) failures.push(failure);
  }
  progress.end();
  const seconds = [(encoded - start) / 1000, (performance.now() - encoded) / 1000];
  let warning: string | undefined; // of a file that was not asked for
  if (loaded.folder !== undefined) {
    const path = join(loaded.folder, "evaluation.json");
    if (hasOtherPictures(overrides)) {
      notes.push("evaluation.json of the run keeps the figures of its own pictures");
    } else warning = await attempt(() => addFigures(path, figures));
  }

  const { gallery, test: judged } = sides[0];
  const pictures = gallery.encoded.indices.length, tested = judged?.encoded.indices.length;
  if (options.json) {
    const from = { weights: loaded.file, data: dataset.name, pictures, test: test?.name, tested };
    printJson({ ...from, figures, notes, seconds });
  } else {
    const judge = test ? `, judging ${tested} of ${shown(test.name)}` : "";
    print(`${shown(loaded.file)}\n${pictures} pictures of ${shown(dataset.name)}${judge}\n`);
    print(figureTable(figures));
    for (const note of notes) say(`note: ${shown(note)}`);
    const [encoding, measuring] = seconds.map((s) => s.toFixed(1));
    say(`${encoding} s to encode, ${measuring} s to measure`);
  }
  if (warning !== undefined) say(`warning: the figures are not kept: ${warning}`);
  for (const set of [dataset, test]) set?.close?.();
  gpu.destroy();
  if (failures.length) throw new HatchlingError(failures.join("\n"));
}

/** What is measured: the configuration's own readout; unless it was asked for alone, beside others. */
function readoutsOf(config: Config, alone: boolean): Readout[] {
  const own = readoutOf(config);
  if (alone) return [own];
  const words = ["class", config.model.feature, "grid"] as const;
  const others: Readout[] = words.map((feature) => ({ feature }));
  const all = [...others.slice(0, 2), own, ...others.slice(2)];
  const names = all.map(readoutName);
  return all.filter((_, i) => names.indexOf(names[i]) === i);
}

/** Makes sure that features can be written before anything is measured. */
function claimFeatures(
  named: readonly string[],
  model: string,
  { file, config }: LoadedModel,
  options: Options,
): void {
  const { data, evaluation } = config;
  claimOutputs(named.flatMap((path) => featuresOutputs(path, hasTest(config))), {
    inputs: [model, file, options.config, data.path, evaluation.test_path],
    overwrite: options.overwrite,
    remedy: "name another file after --features",
  });
  for (const path of named) AtomicFile.open(path).discard();
}

/** Writes something; returns what hindered it, if anything: what was measured is not lost for that. */
async function attempt(write: () => Promise<void>): Promise<string | undefined> {
  try {
    await write();
  } catch (error) {
    if (error instanceof HatchlingError) return error.message;
    throw error;
  }
}

/** What was left out of the pictures. */
function notesOf(sets: readonly Dataset[]): string[] {
  return sets.flatMap(({ name, skipped }) => {
    const { damaged, notes } = sortLeftOut(skipped);
    if (!damaged.length) return notes;
    const [{ file, reason }] = damaged;
    const one = `${shown(file)} for one: ${shown(reason)}`;
    return [`${damaged.length} files of ${shown(name)} could not be used, ${one}`, ...notes];
  });
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Puts figures in the place of those of the same encoders; what else the file holds stays. */
async function addFigures(path: string, figures: readonly Figure[]): Promise<void> {
  let before: Figure[] = [];
  try {
    before = JSON.parse(new TextDecoder().decode(await readFile(path)));
  } catch (error) {
    // Not there yet, or not JSON any more: this makes one.
    if (!(error instanceof SyntaxError) && await isThere(path)) throw error;
  }
  if (!Array.isArray(before)) before = [];
  const encoders = new Set(figures.map(({ encoder }) => encoder));
  const all = [...figures, ...before.filter(({ encoder }) => !encoders.has(encoder))];
  await writeFileAtomic(path, new TextEncoder().encode(JSON.stringify(all, null, 2) + "\n"));
}

await runCommand(main);
