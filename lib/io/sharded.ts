/**
 * Weights in several files with an index that says which tensor is in which, as Hugging Face writes them
 * (`model.safetensors.index.json`, `pytorch_model.bin.index.json`).
 *
 * @module
 */
import { DamagedFileError, HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import type { RawTensor } from "./dtype.ts";
import { folderOf } from "./platform.ts";
import { readJson } from "./json_file.ts";
import { brief, isObject } from "./safetensors_header.ts";
import type { FoundTensor } from "./weight_names.ts";
import type { WeightsFile } from "./tensor_file.ts";

/** Brackets within one another in an index; libraries put more than a size into its metadata. */
const DEPTH = 16;

/** More files than any model is cut into. */
const MAX_SHARDS = 1000;

/** A file beside the index, not a path. */
const SHARD = /^\w[\w.-]*\.(safetensors|bin|pth|pt)$/;

/** Files of weights as one. */
class ShardedFile implements WeightsFile {
  readonly entries: ReadonlyMap<string, FoundTensor>;
  constructor(
    readonly file: string,
    readonly metadata: Readonly<Record<string, string>>,
    private readonly shards: ReadonlyMap<string, WeightsFile>,
    private readonly places: ReadonlyMap<string, string>,
  ) {
    const entries = new Map<string, FoundTensor>();
    for (const [name, shard] of places) {
      const found = shards.get(shard)!.entries.get(name);
      if (!found) {
        throw damaged(file, `it lists ${brief(name)} in ${shard}, which does not hold it`);
      }
      entries.set(name, found);
    }
    this.entries = entries;
  }

  async read(name: string): Promise<RawTensor> {
    const shard = this.places.get(name);
    if (shard !== undefined) return await this.shards.get(shard)!.read(name);
    throw new HatchlingError(`Expected a tensor ${shown(name)} in ${shown(this.file)}: none there`);
  }

  [Symbol.dispose](): void {
    closeAll(this.shards);
  }
}

function closeAll(shards: ReadonlyMap<string, WeightsFile>): void {
  for (const shard of shards.values()) shard[Symbol.dispose]();
}

function damaged(file: string, found: string): DamagedFileError {
  return new DamagedFileError(`${shown(file)}: not an index of weights that can be used: ${found}`);
}

/** Which tensor is in which file. */
function placesIn(file: string, index: unknown): Map<string, string> {
  const map = isObject(index) ? index.weight_map : undefined;
  if (!isObject(map)) {
    throw damaged(file, "expected weight_map, the file of every tensor by its name");
  }
  const places = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== "string" || !SHARD.test(shard)) {
      throw damaged(
        file,
        `${brief(name)}: expected the name of a .safetensors or .bin file beside it but found ${
          brief(shard)
        }`,
      );
    }
    places.set(name, shard);
  }
  if (!places.size) throw damaged(file, "it lists no tensors");
  return places;
}

/** Texts of the index: the size of all, and what else is one line. */
function textsIn(index: unknown): Record<string, string> {
  const metadata = isObject(index) && isObject(index.metadata) ? index.metadata : {};
  const texts = Object.entries(metadata).filter(([, value]) => !isObject(value));
  return Object.fromEntries(texts.map(([key, value]) => [key, String(value)]));
}

/**
 * Opens an index with all files that it lists.
 *
 * @param open Opens one of them.
 * @throws {DamagedFileError} When it is no index, lists anything but files beside it, or a tensor that is not there.
 * @throws {HatchlingError} When one of the files is missing or damaged.
 */
export async function openSharded(
  path: string,
  open: (path: string) => Promise<WeightsFile>,
): Promise<WeightsFile> {
  const index = await readJson(path, DEPTH);
  const places = placesIn(path, index);
  const names = [...new Set(places.values())].sort();
  if (names.length > MAX_SHARDS) throw damaged(path, `it lists more than ${MAX_SHARDS} files`);
  const shards = new Map<string, WeightsFile>();
  try {
    for (const name of names) shards.set(name, await open(`${folderOf(path)}/${name}`));
    return new ShardedFile(path, textsIn(index), shards, places);
  } catch (error) {
    closeAll(shards);
    throw error;
  }
}
