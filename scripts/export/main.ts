/**
 * A model as files for other software: `deno task export RUN|FILE --to safetensors|onnx`.
 *
 * @module
 */
import { Option } from "commander";
import { dirname } from "node:path";
import { parseOverrides } from "../../lib/config.ts";
import { EXPORT_DTYPES } from "../../lib/export/dtype.ts";
import {
  checkOptions,
  exportModel,
  type ExportOptions,
  fileNames,
  NAMES,
  PARTS,
} from "../../lib/export/files.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { loadModel } from "../../lib/open_model/load.ts";
import { shown } from "../../lib/text.ts";
import { bytes } from "../../lib/words.ts";
import { claimOutputs, makeFolder, probeFolder } from "../common/outputs.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, runCommand, say } from "../common/terminal.ts";
import { outputsIn, placeOf } from "./place.ts";

interface Options extends ExportOptions {
  out?: string;
  config?: string;
  checkpoint?: string;
  student?: boolean;
  overwrite: boolean;
}

const REMEDY = "choose another --out";

async function main(): Promise<void> {
  const { overrides, rest } = parseOverrides(commandArgs());
  const choice = (flags: string, words: string, choices: readonly string[]) =>
    new Option(flags, words).choices(choices);
  const command = newCommand("export")
    .description("Writes a model for other software, with what that software needs beside it.")
    .argument("<model>", "a run's folder, or a file of weights")
    .addOption(
      choice("--to <format>", "kind of file", ["safetensors", "onnx"]).makeOptionMandatory(),
    )
    .addOption(choice("--names <layout>", "whose names, in safetensors", NAMES).default("timm"))
    .addOption(choice("--dtype <type>", "type of the numbers", EXPORT_DTYPES).default("f32"))
    .addOption(choice("--part <part>", "what of the model", PARTS).default("backbone"))
    .option("--out <path>", "folder, or one file alone: F.safetensors, F.onnx")
    .option("--attention", "ONNX: also give the attention of the last block")
    .option("--license <text>", "the licence that the files name")
    .option("--config <file>", "configuration of the model, where it isn't that of the run")
    .option("--checkpoint <file>", "a checkpoint of the run, not its result")
    .option("--student", "the student, not the teacher")
    .option("--overwrite", "replace what is at --out, whoever made it", false)
    .addHelpText("after", "\nAny key of the configuration: --model.heads 6")
    .parse(rest, { from: "user" });
  const options = command.opts<Options>();
  const [path] = command.args;
  checkOptions(options);
  const onWarning = (message: string) => say(`warning: ${message}`);
  const { config, checkpoint, student } = options;
  const onNote = (message: string) => say(`note: ${message}`);
  const asked = { path, config, checkpoint, student, overrides, onWarning, onNote };
  const loaded = await loadModel(asked);
  const place = placeOf(options, loaded.folder);
  const names = place.only ? [place.only] : fileNames(options);
  claimOutputs(outputsIn(place, names), {
    inputs: [path, loaded.file, options.config],
    overwrite: options.overwrite,
    remedy: REMEDY,
  });
  probeFolder(place.folder, REMEDY);
  const { files, model, load, notes } = exportModel(loaded, options);
  makeFolder(place.folder, REMEDY);
  // Weights last: whoever finds them finds all.
  for (const name of names.toReversed()) {
    const target = place.pathOf(name), data = files.get(name);
    makeFolder(dirname(target), REMEDY);
    if (data) await writeFileAtomic(target, data);
    else await Deno.remove(target).catch(() => {}); // an earlier export's, which is not true of this one
  }
  for (const name of names) {
    const size = files.get(name)?.length;
    if (size !== undefined) print(`${shown(place.pathOf(name))}: ${bytes(size)}`);
  }
  print(`\n${model}`);
  let words = load;
  for (const name of names) words = words.replaceAll(`FOLDER/${name}`, place.pathOf(name));
  print(words.replaceAll("FOLDER", place.folder).replace(/^/gm, "  "));
  for (const note of notes) say(`note: ${note}`);
}

await runCommand(main);
