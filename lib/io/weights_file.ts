/**
 * Files of weights, whatever their format: what they hold is known at once, and each tensor is read when it is asked
 * for.
 *
 * @module
 */
import { basename } from "node:path";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { bytesOf, type ByteSource, openSource, sourceOf } from "./byte_source.ts";
import { folderOf } from "./platform.ts";
import { readJson } from "./json_file.ts";
import { isArchive, isLegacy } from "./pytorch/marks.ts";
import { PyTorchFile } from "./pytorch/reader.ts";
import { SafetensorsReader } from "./safetensors_reader.ts";
import { openSharded } from "./sharded.ts";
import type { WeightsFile } from "./tensor_file.ts";

export type { WeightsFile } from "./tensor_file.ts";

/** What a folder of Hugging Face holds its weights in, the one to take first. */
export const IN_FOLDERS: readonly string[] = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];

/** Brackets within one another in a `config.json`. */
const CONFIG_DEPTH = 64;

/** Bytes that tell the format. */
const START = 512;

/**
 * Opens a file of weights and checks what it says of itself. No tensor is read yet, and no code of the file is ever
 * run.
 *
 * @param path A `.safetensors` file; a PyTorch file (`.pth`, `.pt`, `.bin`), as torch.save writes it now or did before
 * version 1.6; an index of several such files (`….index.json`); or a folder with one of these as Hugging Face names
 * them. What a file is, its contents decide.
 * @throws {DamagedFileError} When it is damaged, of another kind, or a pickle that holds more than data.
 * @throws {HatchlingError} When it cannot be read, or a folder holds no weights.
 *
 * @example
 * ```ts ignore
 * import { openWeightsFile } from "./weights_file.ts";
 *
 * using file = await openWeightsFile("dino_deitsmall16_pretrain.pth");
 * for (const { name, dtype, shape } of file.entries.values()) console.log(name, dtype, shape);
 * const { data } = await file.read("cls_token");
 * ```
 */
export async function openWeightsFile(path: string): Promise<WeightsFile> {
  const isFolder = (await Deno.stat(path).catch(() => undefined))?.isDirectory;
  if (!isFolder) return await openFile(path);
  for (const name of IN_FOLDERS) {
    if (await exists(`${path}/${name}`)) return await openFile(`${path}/${name}`);
  }
  throw new HatchlingError(
    `Expected weights in the folder ${shown(path)} but found none of ${IN_FOLDERS.join(", ")}: ` +
      "name the file itself",
  );
}

/** The same of a file in memory, which is no index. */
export async function openWeightsBytes(
  bytes: Uint8Array<ArrayBuffer>,
  file: string,
): Promise<WeightsFile> {
  return await openOne(file, sourceOf(bytes));
}

async function openFile(path: string): Promise<WeightsFile> {
  const isIndex = path.endsWith(".index.json");
  const config = IN_FOLDERS.includes(basename(path)) ? await configBeside(path) : undefined;
  const one = async (path: string) => await openOne(path, await openSource(path));
  const file = isIndex ? await openSharded(path, one) : await one(path);
  return config === undefined ? file : Object.assign(file, { config });
}

async function configBeside(path: string): Promise<unknown> {
  const config = `${folderOf(path)}/config.json`;
  return await exists(config) ? await readJson(config, CONFIG_DEPTH) : undefined;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** What is none of PyTorch's formats is read as safetensors, whose errors tell what else it is. */
async function openOne(file: string, source: ByteSource): Promise<WeightsFile> {
  const start = String.fromCharCode(...await bytesOf(source, 0, Math.min(START, source.size)));
  const format = isArchive(start) ? "archive" : isLegacy(start) ? "legacy" : undefined;
  if (format === undefined) return await SafetensorsReader.open(file, source);
  return await PyTorchFile.open(file, source, format);
}
