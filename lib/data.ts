/**
 * Pictures: data sets of files, lists, MNIST, CIFAR, emoji or your own functions, and the loader that makes batches
 * of them in a seeded order.
 *
 * Importing it needs no permission and starts nothing; what reads files needs the permission to read, and a disk.
 *
 * @example A data set that is computed, and its batches
 * ```ts
 * import { functionDataset, Loader } from "@hatchling/hatchling/data";
 *
 * const dataset = functionDataset({
 *   name: "greys",
 *   length: 256,
 *   channels: 1,
 *   maxPixels: 64,
 *   picture: (i) => ({ width: 8, height: 8, channels: 1, data: new Uint8Array(64).fill(i) }),
 * });
 * const loader = new Loader(dataset, { batchSize: 32, seed: 0 });
 * const { indices, table } = await loader.batch(0);
 * console.log(loader.stepsPerEpoch, indices.length, table[1]); // 8, 32, 8
 * loader.close();
 * ```
 *
 * @module
 */
import type { Dataset, Progress } from "./data/dataset.ts";
import type { FileEntry, FilesOptions } from "./data/file_dataset.ts";
import type { OpenOptions } from "./data/open.ts";
import type { Split } from "./data/split.ts";

export {
  DamagedPictureError,
  type Dataset,
  type Labels,
  type Progress,
  type SkippedFile,
} from "./data/dataset.ts";
export type { DecodeChannels } from "./data/decode.ts";
export type { FileEntry, FilesOptions } from "./data/file_dataset.ts";
export {
  functionDataset,
  type FunctionDatasetOptions,
  type InterleavedPicture,
} from "./data/function_dataset.ts";
export type { Picture } from "./data/image.ts";
export { type Batch, Loader, type LoaderOptions } from "./data/loader.ts";
export type { DatasetModule, ModuleOptions } from "./data/module_dataset.ts";
export type { DatasetKind, OpenOptions } from "./data/open.ts";
export type { Split } from "./data/split.ts";

// What works on files is imported when it is first used: where there is no disk, that alone fails.

/**
 * Opens a data set of any kind: a folder of pictures, a list, MNIST, CIFAR, the emoji, a module of your own.
 *
 * @throws {HatchlingError} When it cannot be opened, or its pictures cannot have the channels that are asked
 * for; the message says what to do.
 *
 * @example
 * ```ts ignore
 * import { openDataset } from "@hatchling/hatchling";
 *
 * const data = await openDataset({ path: "data/flowers", maxPixels: 65536, split: "train" });
 * console.log(`${data.length} pictures, ${data.skipped.length} files skipped`);
 * data.close?.();
 * ```
 *
 * @category Data
 */
export async function openDataset(options: OpenOptions): Promise<Dataset> {
  return await (await import("./data/open.ts")).openDataset(options);
}

/**
 * Opens picture files, in the given order. Those without a sound header are left out and named in `skipped`; the
 * others are decoded when they are asked for.
 *
 * @param name Name for messages.
 * @param entries The files.
 * @throws {HatchlingError} When no file has a sound header, or an option is out of its range.
 */
export async function openFiles(
  name: string,
  entries: readonly FileEntry[],
  options: FilesOptions = {},
): Promise<Dataset> {
  return await (await import("./data/file_dataset.ts")).openFiles(name, entries, options);
}

/**
 * One side of a data set. The side of a picture follows from its contents alone: exact copies are on one side,
 * and adding or removing files moves no other. So shares are near `valFraction`, not equal to it.
 *
 * @param split Side to give; "all" gives the set itself.
 * @param valFraction Share of the validation side, in (0, 1).
 * @throws {HatchlingError} When the share is out of its range, or there is no picture on that side.
 */
export async function splitDataset(
  dataset: Dataset,
  split: Split,
  valFraction: number,
  options: { onProgress?: Progress } = {},
): Promise<Dataset> {
  return await (await import("./data/split.ts")).splitDataset(dataset, split, valFraction, options);
}
