/**
 * A folder of pictures as a data set.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { type Labels, labelsOf } from "./dataset.ts";
import { decoderOf, FileDataset, type FilesOptions, firstOf } from "./file_dataset.ts";
import { FORMATS } from "./header.ts";
import { listPictures, type PictureFile } from "./files.ts";

/** Options of {@linkcode openFolder}. */
export type FolderOptions = Omit<FilesOptions, "labels" | "skipped" | "index">;

/**
 * Opens a folder of PNG, JPEG, GIF and WebP files, searched recursively, in the order of their sorted paths.
 *
 * Where files lie in first-level sub-folders, `labels.folder` holds the sub-folder of every picture ("."
 * for those that lie directly in the folder).
 *
 * The headers of all files are read first, and kept for the next start: see {@linkcode listPictures}. What
 * has no sound header is left out and named in `skipped`. Pictures are decoded on demand: see
 * {@linkcode openFiles}.
 *
 * @param folder Path of the folder.
 * @throws {HatchlingError} when the folder is missing, is a file, or holds no usable picture.
 *
 * @example
 * ```ts ignore
 * import { openFolder } from "./folder.ts";
 *
 * const pictures = await openFolder("data/flowers", { maxPixels: 256 * 256 });
 * console.log(pictures.length, pictures.skipped);
 * pictures.close?.();
 * ```
 */
export async function openFolder(
  folder: string,
  options: FolderOptions = {},
): Promise<FileDataset> {
  const decoder = decoderOf(options);
  const { files, skipped, others, index } = await listPictures(folder, options.onProgress);
  if (files.length === 0) {
    throw new HatchlingError(
      `Expected pictures (${FORMATS}) in "${shown(folder)}" or its sub-folders but found none ` +
        `(${skipped.length} left out, ${others} other files): check data.path${firstOf(skipped)}`,
    );
  }
  const labels = folderLabels(files);
  return new FileDataset(folder, files, index, decoder, { ...options, labels, skipped });
}

/** Labels by first-level sub-folder; undefined when every file lies directly in the folder. */
function folderLabels(files: PictureFile[]): Record<string, Labels> | undefined {
  if (!files.some(({ id }) => id.includes("/"))) return;
  const folders = files.map(({ id }) => id.includes("/") ? id.slice(0, id.indexOf("/")) : ".");
  return { folder: labelsOf(folders) };
}
