/**
 * Files of weights, whatever their format: what they hold is known at once, and each tensor is read when it is asked
 * for.
 *
 * @module
 */
import { basename } from "node:path";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { openSource } from "./file_source.ts";
import { folderOf } from "./platform.ts";
import { readJson } from "./json_file.ts";
import { openSharded } from "./sharded.ts";
import type { WeightsFile } from "./tensor_file.ts";
import { IN_FOLDERS, openWeightsSource } from "./weights_source.ts";

export type { WeightsFile } from "./tensor_file.ts";

/** Brackets within one another in these. */
const CONFIG_DEPTH = 64;

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

async function openFile(path: string): Promise<WeightsFile> {
  const isIndex = path.endsWith(".index.json");
  const beside = IN_FOLDERS.includes(basename(path)) ? await besideOf(path) : {};
  const one = async (path: string) => await openWeightsSource(path, await openSource(path));
  const file = isIndex ? await openSharded(path, one) : await one(path);
  return Object.assign(file, beside);
}

/** What Hugging Face has beside the weights. */
async function besideOf(path: string): Promise<Pick<WeightsFile, "config" | "preprocessor">> {
  const json = async (name: string) => {
    const file = `${folderOf(path)}/${name}`;
    return await exists(file) ? await readJson(file, CONFIG_DEPTH) : undefined;
  };
  const config = await json("config.json");
  return config === undefined
    ? {}
    : { config, preprocessor: await json("preprocessor_config.json") };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
