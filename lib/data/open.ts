/**
 * From the `data` section of a configuration to a data set.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import type { Dataset } from "./dataset.ts";
import { openEmoji } from "./emoji.ts";
import { openFolder } from "./folder.ts";

/** Options of {@linkcode openDataset}. */
export interface OpenOptions {
  /** "folder": the pictures below `path`. "emoji": see {@linkcode openEmoji}. */
  dataset: "folder" | "emoji";
  /** Path of the folder; needed for "folder", unused for "emoji". */
  path?: string;
  /** Larger pictures are reduced to at most this many pixels. Default: none are. */
  maxPixels?: number;
  /** Bytes of decoded pictures to keep in memory. Default 1 GiB. Emoji (31 MB) are always kept. */
  cacheBytes?: number;
  /** Decoding workers, at least 1. Default 2. */
  numWorkers?: number;
  /** Called while files are decoded at the start, with the number done and of all. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Opens a data set by name.
 *
 * @throws {HatchlingError} when it cannot be opened; the message says what to do.
 *
 * @example
 * ```ts ignore
 * import { openDataset } from "./open.ts";
 *
 * const data = await openDataset({ dataset: "folder", path: "data/flowers", maxPixels: 65536 });
 * console.log(`${data.length} pictures, ${data.skipped.length} files skipped`);
 * ```
 */
export async function openDataset(options: OpenOptions): Promise<Dataset> {
  const { dataset, path, ...rest } = options;
  if (dataset === "emoji") return await openEmoji(rest);
  if (dataset !== "folder") {
    throw new HatchlingError(
      `Expected data.dataset to be "folder" or "emoji" but found ${JSON.stringify(dataset)}`,
    );
  }
  if (!path) {
    throw new HatchlingError(
      `Expected data.path for data.dataset "folder" but found none: set it to your folder of pictures`,
    );
  }
  return await openFolder(path, rest);
}
