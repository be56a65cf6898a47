/**
 * What a model's features are worth:
 * `deno task evaluate RUN|WEIGHTS [--config FILE] [--data.path DIR] [--feature WORD] [--features F.npy] [--json]`.
 *
 * @module
 */
import { join } from "node:path";
import { type Config, parseOverrides } from "../../lib/config.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import { sortLeftOut } from "../../lib/data/left_out.ts";
import { openDataset } from "../../lib/data/open.ts";
import { weigh, worthVerdict } from "../../lib/diagnosis.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { pixelEncoder } from "../../lib/eval/encoder.ts";
import { type BestReadout, bestReadout } from "../../lib/eval/best_readout.ts";
import { figureTable } from "../../lib/eval/figures.ts";
import { featureEncoder, featureEncoders } from "../../lib/eval/feature_encoder.ts";
import { encoderName, type Readout, readoutName, whitenedName } from "../../lib/eval/readout.ts";
import { encodeSides } from "../../lib/eval/sides.ts";
import { openDevice } from "../../lib/adapter.ts";
import { initialize, Parameters } from "../../lib/model.ts";
import { shown } from "../../lib/text.ts";
import { many } from "../../lib/words.ts";
import { AtomicFile } from "../../lib/io/atomic_file.ts";
import { besidePath, checkFeaturesPath, featuresOutputs } from "./features_file.ts";
import { addFigures, keepWhitening } from "./run_files.ts";
import { attempt, measureSubjects, type Subject } from "./measure.ts";
import { type LoadedModel, loadModel, type ModelRequest } from "../../lib/open_model/load.ts";
import {
  evaluationOptionsOf,
  hasOtherPictures,
  hasTest,
  openTest,
} from "../../lib/from_config/evaluation.ts";
import { isResult } from "../../lib/open_model/whitening.ts";
import { whitenAlphaOption, whitenOverrides } from "../common/whiten_option.ts";
import { featureOption, featureOverride } from "../common/feature_option.ts";
import { claimOutputs } from "../common/outputs.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, printJson, runCommand, say } from "../common/terminal.ts";
import { Progress } from "../common/progress.ts";
import {
  datasetOptionsOf,
  diagnosisSettingsOf,
  gpuOptionsOf,
  readoutOf,
} from "../../lib/from_config.ts";

interface Options extends Pick<ModelRequest, "checkpoint" | "student"> {
  config?: string;
  features?: string;
  overwrite: boolean;
  feature?: string;
  pixels: boolean;
  untrained: boolean;
  whiten: boolean;
  whitenAlpha?: number;
  json?: boolean;
}

async function main(): Promise<void> {
  const { overrides: given, rest } = parseOverrides(commandArgs());
  const command = newCommand("evaluate")
    .description("Measures the features of a run, a checkpoint or a file of weights.")
    .argument("<model>", "a run's folder, a file of weights, or a published model's folder")
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
    .option("--no-untrained", "leave out the same model before training, too")
    .option("--no-whiten", "leave out whitened features, which are measured beside plain ones")
    .addOption(whitenAlphaOption())
    .option("--json", "one object instead of a table")
    .addHelpText(
      "after",
      "\nAny key of the configuration: --data.path DIR, --evaluation.test_path DIR, --data.split train",
    )
    .parse(rest, { from: "user" });
  const options = command.opts<Options>();
  const { features } = options;
  const { whitenAlpha } = options;
  const overrides = [...given, ...featureOverride(options), ...whitenOverrides({ whitenAlpha })];
  if (features !== undefined) checkFeaturesPath(features);
  const progress = new Progress();
  const onWarning = (message: string) => progress.say(`warning: ${message}`);
  const onNote = (message: string) => progress.say(message);
  const [path] = command.args;
  const loaded = await loadModel({ path, ...options, overrides, onWarning, onNote });
  const { config } = loaded;
  const alone = overrides.some(({ key }) => key === "evaluation.feature");
  const readouts = readoutsOf(config, alone);
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
  const gpu = await openDevice(gpuOptionsOf(config));
  const weights = new Parameters(gpu, loaded.model.specs());
  weights.load(loaded.weights);
  const { backbone } = loaded.model;
  const named = readouts.map((one) => ({ ...one, name: encoderName(loaded.name, one) }));
  const subjects: Subject[] = featureEncoders(gpu, backbone, weights, named).map((encoder, e) => {
    return { encoder, readout: readouts[e], file: files[e], probes: true };
  });
  const initial = options.untrained ? new Parameters(gpu, loaded.model.specs()) : undefined;
  if (initial) {
    initial.load(initialize(loaded.model.specs(), config.training.seed));
    const name = encoderName("random init", readoutOf(config));
    const encoder = featureEncoder(gpu, name, backbone, initial, readoutOf(config));
    subjects.push({ encoder, probes: false });
  }
  if (options.pixels) subjects.push({ encoder: pixelEncoder(config.model.in_chans), probes: true });

  const settings = evaluationOptionsOf(config);
  const start = performance.now();
  const sides = await encodeSides(gpu, dataset, subjects.map(({ encoder }) => encoder), {
    ...settings,
    test,
    onProgress: (done) => progress.show(`encoding: ${done} pictures`),
  });
  const encoded = performance.now();
  const notes = notesOf([dataset, ...test ? [test] : []]);
  const isOwn = loaded.folder !== undefined && !hasOtherPictures(overrides);
  const { figures, failures } = await measureSubjects(gpu, sides, subjects, {
    settings,
    alpha: options.whiten ? config.evaluation.whiten_alpha : undefined,
    store: isOwn && await isResult(loaded.file)
      ? (readout, whitening) => keepWhitening(loaded, readout, whitening)
      : undefined,
    progress,
    notes,
  });
  const seconds = [(encoded - start) / 1000, (performance.now() - encoded) / 1000];
  let warning: string | undefined; // of a file that was not asked for
  if (loaded.folder !== undefined) {
    const path = join(loaded.folder, "evaluation.json");
    if (isOwn) warning = await attempt(() => addFigures(path, figures));
    else notes.push("the run keeps the figures and the whitening of its own pictures");
  }

  const { gallery, test: judged } = sides[0];
  const pictures = gallery.encoded.indices.length, tested = judged?.encoded.indices.length;
  const known = { ...diagnosisSettingsOf(config), pictures: tested ?? pictures };
  const best = bestReadout(figures, known), worth = weigh(figures, known);
  if (options.json) {
    const from = { weights: loaded.file, data: dataset.name, pictures, test: test?.name, tested };
    printJson({ ...from, figures, best, worth, notes, seconds });
  } else {
    const judge = test ? `, judging ${tested} of ${shown(test.name)}` : "";
    print(`${shown(loaded.file)}\n${pictures} pictures of ${shown(dataset.name)}${judge}\n`);
    print(figureTable(figures));
    if (best) print(`\n${best.text}${howTo(best, readouts, config, alone)}`);
    if (worth) print(`\nverdict: ${worthVerdict(worth, known)}`);
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

/** What makes other commands use the best readout, where it isn't the run's own. */
function howTo(
  { encoder, whitened }: BestReadout,
  readouts: readonly Readout[],
  { evaluation }: Config,
  alone: boolean,
): string {
  const readout = readouts.find((one) => {
    const plain = encoderName("", one);
    return encoder.endsWith(whitened ? whitenedName(plain) : plain);
  });
  if (!readout) return "";
  const { feature, lastBlocks = 1 } = readout;
  const words = [
    (alone || feature !== evaluation.feature) && `--feature ${feature}`,
    lastBlocks !== evaluation.last_blocks && `--evaluation.last_blocks ${lastBlocks}`,
    whitened !== evaluation.whiten && (whitened ? "--whiten" : "--no-whiten"),
  ].filter(Boolean);
  return words.length ? `\nembed, search and look take it with ${words.join(" ")}` : "";
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

/** What was left out of the pictures. */
function notesOf(sets: readonly Dataset[]): string[] {
  return sets.flatMap(({ name, skipped }) => {
    const { damaged, notes } = sortLeftOut(skipped);
    if (!damaged.length) return notes;
    const [{ file, reason }] = damaged;
    const one = `${shown(file)} for one: ${shown(reason)}`;
    return [
      `${many(damaged.length, "file")} of ${shown(name)} could not be used, ${one}`,
      ...notes,
    ];
  });
}

await runCommand(main);
