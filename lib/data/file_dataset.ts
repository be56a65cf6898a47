/**
 * Picture files as a data set.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { DamagedPictureError, type Dataset, type Labels, type SkippedFile } from "./dataset.ts";
import { Decoder } from "./decoder.ts";
import { inspectFiles } from "./files.ts";
import type { Header } from "./header.ts";
import type { Picture } from "./image.ts";
import { PictureCache } from "./picture_cache.ts";
import { fitWithin } from "./resample.ts";

/** A file that should become a picture of a data set. */
export interface FileEntry {
  /** Stable name of the picture, such as its path within a folder. */
  id: string;
  /** Path to open it by. */
  path: string;
  /** What its first bytes say; read by {@linkcode openFiles} where it is missing. */
  header?: Header;
}

/** Options of {@linkcode openFiles}. */
export interface FilesOptions {
  /** Larger pictures are reduced to at most this many pixels, once, antialiased. Default: none are. */
  maxPixels?: number;
  /** Bytes of decoded pictures to keep in memory. Default 1 GiB. */
  cacheBytes?: number;
  /** Decoding workers, at least 1. Default 2. */
  numWorkers?: number;
  /** Labels by kind, one value per entry; those of files left out are dropped, class numbers stay. */
  labels?: Record<string, Labels>;
  /** Files that were left out before, and why; those that `openFiles` leaves out are added to it. */
  skipped?: SkippedFile[];
  /** Called while headers are read, with the number of files done and of all. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Opens picture files, in the given order. Nothing is decoded at the start: files whose header is unsound
 * are left out and named in `skipped`; all others keep their index whatever is found later. Pictures are
 * decoded on demand, and kept while they fit into `cacheBytes`.
 *
 * A file that turns out to be damaged, or to have become larger than its header said: `picture(i)` throws a
 * {@linkcode DamagedPictureError}, and `skipped` names it once.
 *
 * @param name Name for messages, such as the folder's path.
 * @param entries The files.
 * @throws {HatchlingError} when no file has a sound header, or an option is out of its range.
 *
 * @example
 * ```ts ignore
 * import { openFiles } from "./file_dataset.ts";
 *
 * const pictures = await openFiles("two", [
 *   { id: "left", path: "scans/left.png" },
 *   { id: "right", path: "scans/right.jpg" },
 * ]);
 * console.log(pictures.length, pictures.skipped);
 * pictures.close?.();
 * ```
 */
export async function openFiles(
  name: string,
  entries: readonly FileEntry[],
  options: FilesOptions = {},
): Promise<FileDataset> {
  const { maxPixels = Infinity, numWorkers = 2, skipped = [], labels, onProgress } = options;
  const decoder = new Decoder({ workers: numWorkers, maxPixels }); // refuses bad options; starts nothing
  const missing = entries.filter(({ header }) => !header);
  const found = await inspectFiles(missing.map(({ path }) => path), onProgress);
  const read = new Map(missing.map((entry, i) => [entry, found[i]]));
  const files: SoundFile[] = [], kept: number[] = [];
  entries.forEach((entry, i) => {
    const { header, reason = "not a picture" } = read.get(entry) ?? { header: entry.header };
    if (!header) return void skipped.push({ file: entry.path, reason });
    files.push({ id: entry.id, path: entry.path, header });
    kept.push(i);
  });
  if (files.length === 0) {
    const first = skipped.slice(0, 3).map(({ file, reason }) => `\n  ${file}: ${reason}`).join("");
    throw new HatchlingError(
      `Expected at least one picture in ${name} but none of its ${entries.length} files can be used: ` +
        `check data.path${first}`,
    );
  }
  return new FileDataset(name, files, decoder, {
    maxPixels,
    cacheBytes: options.cacheBytes ?? 2 ** 30,
    labels: labels && subsetLabels(labels, kept),
    skipped,
  });
}

/**
 * Labels of some pictures; classes keep their numbers, also those that lose all their pictures.
 *
 * @param labels Labels of all pictures.
 * @param indices Pictures to keep, in their new order.
 */
export function subsetLabels(
  labels: Record<string, Labels>,
  indices: ArrayLike<number>,
): Record<string, Labels> {
  return Object.fromEntries(
    Object.entries(labels).map(([kind, { values, names }]) => {
      return [kind, { values: Int32Array.from(indices, (i) => values[i]), names }];
    }),
  );
}

/** A file whose header is known. */
type SoundFile = FileEntry & { header: Header };

/** What {@linkcode openFiles} gives. */
export class FileDataset implements Dataset {
  readonly name: string;
  readonly length: number;
  readonly largestPixels: number;
  readonly labels?: Record<string, Labels>;
  readonly skipped: SkippedFile[];
  readonly #files: SoundFile[];
  readonly #maxPixels: number;
  readonly #decoder: Decoder;
  readonly #cache: PictureCache;
  readonly #damaged = new Map<number, DamagedPictureError>();

  constructor(
    name: string,
    files: SoundFile[],
    decoder: Decoder,
    options: {
      maxPixels: number;
      cacheBytes: number;
      labels?: Record<string, Labels>;
      skipped: SkippedFile[];
    },
  ) {
    this.name = name;
    this.length = files.length;
    this.labels = options.labels;
    this.skipped = options.skipped;
    this.#files = files;
    this.#maxPixels = options.maxPixels;
    this.#decoder = decoder;
    this.#cache = new PictureCache(options.cacheBytes, (i) => this.#decode(i));
    this.largestPixels = files.reduce((most, _, i) => Math.max(most, this.#pixels(i)), 0);
  }

  /** Name of the picture at an index. */
  id(i: number): string {
    return this.#file(i).id;
  }

  /** The picture at an index, decoded now or kept from before. */
  picture(i: number): Picture | Promise<Picture> {
    this.#file(i);
    return this.#cache.get(i);
  }

  /** Ends the decoding workers and drops the cached pictures. */
  close(): void {
    this.#decoder.close();
    this.#cache.clear();
  }

  #file(i: number): SoundFile {
    if (!Number.isInteger(i) || i < 0 || i >= this.length) {
      throw new HatchlingError(`Expected a picture index in [0, ${this.length}), found ${i}`);
    }
    return this.#files[i];
  }

  /** Pixels of a picture by its header, after the reduction to `maxPixels`. */
  #pixels(i: number): number {
    const { header } = this.#files[i];
    const { width, height } = fitWithin(header.width, header.height, this.#maxPixels);
    return width * height;
  }

  async #decode(i: number): Promise<Picture> {
    const known = this.#damaged.get(i);
    if (known) throw known;
    const decoded = await this.#decoder.decode(this.#files[i].path);
    const { file, picture } = decoded;
    const listed = this.#pixels(i);
    if (picture && picture.width * picture.height <= listed) return picture;
    const reason = picture
      ? `it is ${picture.width} × ${picture.height} now, larger than when it was listed: the file ` +
        `changed since`
      : decoded.reason!;
    const error = new DamagedPictureError(`${file}: ${reason}`);
    this.#damaged.set(i, error);
    this.skipped.push({ file, reason });
    throw error;
  }
}
