/**
 * A folder of pictures as a data set.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { DamagedPictureError, type Dataset, type Labels, labelsOf } from "./dataset.ts";
import type { SkippedFile } from "./dataset.ts";
import { Decoder } from "./decoder.ts";
import { listPictures, type PictureFile } from "./files.ts";
import type { Picture } from "./image.ts";
import { PictureCache } from "./picture_cache.ts";
import { fitWithin } from "./resample.ts";

/** Options of {@linkcode openFolder}. */
export interface FolderOptions {
  /** Larger pictures are reduced to at most this many pixels, once, antialiased. Default: none are. */
  maxPixels?: number;
  /** Bytes of decoded pictures to keep in memory. Default 1 GiB. */
  cacheBytes?: number;
  /** Decoding workers, at least 1. Default 2. */
  numWorkers?: number;
  /** Called while files are decoded at the start, with the number done and of all. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Opens a folder of PNG, JPEG and GIF files, searched recursively, in the order of their sorted paths.
 *
 * Where files lie in first-level sub-folders, `labels.folder` holds the sub-folder of every picture ("."
 * for those that lie directly in the folder).
 *
 * The headers of all files are read first. When all pictures fit into `cacheBytes`, they are decoded at
 * once: damaged files are then left out and named in `skipped` before anything starts. Otherwise they are
 * decoded on demand and the least recently used are dropped; damage that the header does not show is met
 * later: `picture(i)` throws a {@linkcode DamagedPictureError} and `skipped` grows.
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
export async function openFolder(folder: string, options: FolderOptions = {}): Promise<Dataset> {
  const { maxPixels = Infinity, cacheBytes = 2 ** 30, numWorkers = 2, onProgress } = options;
  const decoder = new Decoder({ workers: numWorkers, maxPixels });
  const { files, skipped, others } = await listPictures(folder);
  let pixels = 0;
  const sizes = files.map(({ header: { width, height } }) => {
    const size = fitWithin(width, height, maxPixels);
    pixels += size.width * size.height;
    return size.width * size.height;
  });
  if (4 * pixels > cacheBytes) {
    requirePictures(folder, files.length, skipped, others);
    return new FolderDataset(folder, files, largest(sizes), skipped, decoder, cacheBytes);
  }
  try {
    const decoded = await decoder.decodeAll(files.map((file) => file.path), onProgress);
    const sound: PictureFile[] = [], pictures: Picture[] = [];
    decoded.forEach(({ file, picture, reason }, i) => {
      if (!picture) return void skipped.push({ file, reason });
      sound.push(files[i]);
      pictures.push(picture);
    });
    requirePictures(folder, sound.length, skipped, others);
    const most = largest(pictures.map(({ width, height }) => width * height));
    return new FolderDataset(folder, sound, most, skipped, pictures);
  } finally {
    decoder.close();
  }
}

function largest(sizes: number[]): number {
  return sizes.reduce((a, b) => Math.max(a, b), 0);
}

function requirePictures(folder: string, n: number, skipped: SkippedFile[], others: number): void {
  if (n > 0) return;
  const first = skipped.slice(0, 3).map(({ file, reason }) => `\n  ${file}: ${reason}`).join("");
  throw new HatchlingError(
    `Expected PNG, JPEG or GIF pictures in "${folder}" or its sub-folders but found none ` +
      `(${skipped.length} unusable, ${others} other files): check data.path${first}`,
  );
}

/** Labels by first-level sub-folder; undefined when every file lies directly in the folder. */
function folderLabels(files: PictureFile[]): Record<string, Labels> | undefined {
  if (!files.some(({ id }) => id.includes("/"))) return;
  const folders = files.map(({ id }) => id.includes("/") ? id.slice(0, id.indexOf("/")) : ".");
  return { folder: labelsOf(folders) };
}

class FolderDataset implements Dataset {
  readonly name: string;
  readonly length: number;
  readonly largestPixels: number;
  readonly labels?: Record<string, Labels>;
  readonly skipped: SkippedFile[];
  readonly #files: PictureFile[];
  #pictures?: Picture[]; // all of them, or:
  readonly #decoder?: Decoder;
  readonly #cache?: PictureCache;
  readonly #damaged = new Map<number, DamagedPictureError>();

  constructor(
    name: string,
    files: PictureFile[],
    largestPixels: number,
    skipped: SkippedFile[],
    source: Picture[] | Decoder,
    cacheBytes = 0,
  ) {
    this.name = name;
    this.length = files.length;
    this.largestPixels = largestPixels;
    this.skipped = skipped;
    this.#files = files;
    this.labels = folderLabels(files);
    if (source instanceof Decoder) {
      this.#decoder = source;
      this.#cache = new PictureCache(cacheBytes, (i) => this.#decode(i));
    } else this.#pictures = source;
  }

  id(i: number): string {
    return this.#files[i].id;
  }

  picture(i: number): Picture | Promise<Picture> {
    if (!Number.isInteger(i) || i < 0 || i >= this.length) {
      throw new HatchlingError(`Expected a picture index in [0, ${this.length}), found ${i}`);
    }
    return this.#pictures?.[i] ?? this.#cache!.get(i);
  }

  async #decode(i: number): Promise<Picture> {
    const known = this.#damaged.get(i);
    if (known) throw known;
    const { file, picture, reason } = await this.#decoder!.decode(this.#files[i].path);
    if (picture) return picture;
    const error = new DamagedPictureError(`${file}: ${reason}`);
    this.#damaged.set(i, error);
    this.skipped.push({ file, reason });
    throw error;
  }

  close(): void {
    this.#decoder?.close();
    this.#cache?.clear();
  }
}
