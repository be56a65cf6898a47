/**
 * The features of pictures as a file: `deno task embed DIR --weights RUN|FILE --out F.parquet`.
 *
 * @module
 */
import { Option } from "commander";
import { type Override, parseOverrides } from "../../lib/config.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import { leftOutLines } from "../../lib/data/left_out.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { fitWhitening } from "../../lib/eval/whiten.ts";
import { readoutOf } from "../../lib/from_config.ts";
import { endingSignals } from "../../lib/io/platform.ts";
import { openConfigured } from "../../lib/from_config/pictures.ts";
import { count, many } from "../../lib/words.ts";
import { shown } from "../../lib/text.ts";
import { claimOutputs } from "../common/outputs.ts";
import { featureOption, featureOverride } from "../common/feature_option.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, runCommand, say } from "../common/terminal.ts";
import {
  choiceDim,
  choiceName,
  encodeStream,
  type FeatureChoice,
  sampleFeatures,
} from "../../lib/embed/encode.ts";
import { modelHash } from "../../lib/open_model/model_hash.ts";
import { whiteningFor } from "../../lib/open_model/whitening.ts";
import { addWhitenOptions, whitenOverrides } from "../common/whiten_option.ts";
import { outputsOf, reserve, sinkOf } from "./open_sink.ts";
import { FEATURES_KEY } from "../../lib/embed/parquet.ts";
import { requirePictures } from "../../lib/embed/pictures.ts";
import { type Format, formatOf, FORMATS, type Sink } from "../../lib/embed/sink.ts";
import { Session } from "../../lib/session.ts";
import { Progress } from "../common/progress.ts";

interface Options {
  weights: string;
  out: string;
  format?: Format;
  config?: string;
  checkpoint?: string;
  student?: boolean;
  feature?: string;
  whiten?: boolean;
  whitenAlpha?: number;
  normalize: boolean;
  overwrite: boolean;
}

/** What to remove when the work is broken off. */
let remove = () => {};

async function main(): Promise<void> {
  const { overrides, rest } = parseOverrides(commandArgs());
  const command = addWhitenOptions(newCommand("embed"))
    .description("Writes what a model makes of pictures: a row of features for each.")
    .argument("[dir]", "folder, list or module of pictures (default: those of the model's run)")
    .requiredOption(
      "--weights <model>",
      "a run's folder, a file of weights (.safetensors, .pth), or a published model's folder",
    )
    .requiredOption("--out <file>", "the table: .parquet, .npy (with .csv beside it), .csv, .jsonl")
    .addOption(
      new Option("--format <name>", "format, whatever the name").choices(Object.keys(FORMATS)),
    )
    .option("--config <file>", "configuration of the model, where it isn't that of the run")
    .option("--checkpoint <file>", "a checkpoint of the run, not its result")
    .option("--student", "the student, not the teacher")
    .addOption(featureOption("what is written of a picture (default: evaluation.feature)"))
    .option("--normalize", "scale every row to length 1, for cosine similarity", false)
    .option("--overwrite", "replace what is at --out, whoever made it", false)
    .addHelpText(
      "after",
      "\nAny key of the configuration: --data.dataset cifar10, --data.split val",
    )
    .parse(rest, { from: "user" });
  const options = command.opts<Options>();
  const [dir] = command.args;
  const format = options.format ?? formatOf(options.out);
  const given: Override[] = dir === undefined ? [] : [{ key: "data.path", value: dir }];
  if (dir !== undefined) await requirePictures(dir);
  const session = await Session.load({
    ...options,
    path: options.weights,
    overrides: [...given, ...overrides, ...featureOverride(options), ...whitenOverrides(options)],
  }, new Progress());
  try {
    const { loaded, config } = session;
    const outputs = outputsOf(options.out, format);
    claimOutputs(outputs, {
      inputs: [options.weights, loaded.file, options.config, config.data.path],
      overwrite: options.overwrite,
      remedy: "choose another --out",
    });
    const files = reserve(outputs);
    remove = () => files.forEach((file) => file.discard());
    const dataset = await openConfigured(config, session.progress);
    const choice = await choiceOf(session, dataset);
    const dim = choiceDim(choice, config.model.dim), words = choiceName(choice);
    const sink = sinkOf(files, format, {
      labels: Object.keys(dataset.labels ?? {}),
      dim,
      readout: words,
      about: {
        "hatchling.weights": modelHash(loaded.weights, config, choice.readout),
        [FEATURES_KEY]: words,
        "hatchling.normalized": String(options.normalize),
        "hatchling.whitened": whitenedBy(choice),
      },
    });
    const start = performance.now();
    const written = await embed(session, dataset, sink, choice, options.normalize);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    dataset.close?.();
    leftOutLines(dataset.skipped).forEach(say);
    print(
      `${sink.files.map(shown).join(", ")}: ${many(written, "picture")} of ${
        shown(dataset.name)
      }, ` +
        `${dim} numbers each (${words}), ${seconds} s`,
    );
  } finally {
    session.close();
  }
}

/** What is to be written; says where its whitening comes from. */
async function choiceOf(session: Session, dataset: Dataset): Promise<FeatureChoice> {
  const { config, loaded } = session, readout = readoutOf(config);
  if (!config.evaluation.whiten) return { readout };
  const { whitening, note } = await whiteningFor(loaded, readout, async () => {
    return fitWhitening(await sampleFeatures(session, dataset, readout));
  });
  say(`note: ${note}`);
  return { readout, whitening };
}

/** For the table: "no", or with which shrinkage and by how many pictures. */
function whitenedBy({ whitening }: FeatureChoice): string {
  return whitening
    ? `alpha ${whitening.alpha}, fitted to ${many(whitening.rows, "picture")}`
    : "no";
}

/** Encodes and writes all; returns the number of rows. */
async function embed(
  session: Session,
  dataset: Dataset,
  sink: Sink,
  choice: FeatureChoice,
  normalize: boolean,
): Promise<number> {
  const labels = Object.values(dataset.labels ?? {});
  const all = Uint32Array.from({ length: dataset.length }, (_, i) => i);
  let written = 0;
  for await (
    const { sound, rows, done } of encodeStream(session, dataset, all, choice, normalize)
  ) {
    sink.write(sound.map(({ index, picture }, row) => {
      const id = dataset.id(index);
      const { width, height } = picture.original ?? picture; // as in the file, upright
      const names = labels.map(({ values, names }) => names[values[index]]);
      return { id, width, height, labels: names, feature: rows[row] };
    }));
    written += sound.length;
    session.progress.show(`encoding: ${count(done)} of ${many(dataset.length, "picture")}`);
  }
  session.progress.end();
  if (!written) {
    leftOutLines(dataset.skipped).forEach(say);
    throw new HatchlingError(
      `Expected at least one sound picture in ${
        shown(dataset.name)
      } but all ${dataset.length} are damaged`,
    );
  }
  sink.finish();
  return written;
}

const { SIGINT, SIGTERM } = endingSignals();
for (const [signal, number] of Object.entries({ SIGINT, SIGTERM })) {
  if (number === undefined) continue;
  Deno.addSignalListener(signal as Deno.Signal, () => {
    remove();
    Deno.exit(128 + number);
  });
}

await runCommand(() => main().finally(() => remove()));
