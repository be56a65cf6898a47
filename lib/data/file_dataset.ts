/**
 * Picture files as a data set.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import {
  DamagedPictureError,
  type Dataset,
  type Labels,
  type Progress,
  type SkippedFile,
} from "./dataset.ts";
import type { DecodeChannels } from "./decode.ts";
import { Decoder } from "./decoder.ts";
import { FileIndex } from "./file_index.ts";
import { isSound, lookAtKnown, type PictureFile } from "./files.ts";
import type { Picture } from "./image.ts";
import { hashOf } from "./fingerprint.ts";
import { sortLeftOut } from "./left_out.ts";
import { lookAtAll } from "./look.ts";
import { PictureCache } from "./picture_cache.ts";
import { fitWithin } from "./resample.ts";
import { subsetLabels } from "./split.ts";

/** A file that should become a picture of a data set. */
export interface FileEntry {
  /** Stable name of the picture, such as its path within a folder. */
  id: string;
  /** Path to open it by. */
  path: string;
}

/** Options of {@linkcode openFiles}. */
export interface FilesOptions {
  /** Larger pictures are reduced to at most this many pixels, once, antialiased. Default: none are. */
  maxPixels?: number;
  /** Bytes of decoded pictures to keep in memory. Default 1 GiB. */
  cacheBytes?: number;
  /** Decoding workers, at least 1. Default 2. */
  numWorkers?: number;
  /** Channels of the pictures: 1 gray, 3 colour on white, 4 colour and alpha. Default 3. */
  channels?: DecodeChannels;
  /** Labels by kind, one value per entry; those of files left out are dropped, class numbers stay. */
  labels?: Record<string, Labels>;
  /** Files that were left out before, and why; those that `openFiles` leaves out are added to it. */
  skipped?: SkippedFile[];
  /**
   * Path of the list that the entries come from: what is found in the files is kept in the cache folder
   * under this name, so that the next start need not read unchanged files. Default: nothing is kept.
   */
  index?: string;
  /** Called while headers are read. */
  onProgress?: Progress;
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
 * import { openFiles } from "@hatchling/hatchling/data";
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
  const { skipped = [], labels, onProgress } = options;
  const decoder = decoderOf(options);
  const began = Date.now();
  const index = options.index
    ? await FileIndex.open(await Deno.realPath(options.index))
    : await FileIndex.open("", []); // in no folder
  const keyed = entries.map(({ path }) => ({ key: path, path }));
  const found = await lookAtKnown(keyed, index, began, onProgress);
  const files: PictureFile[] = [], kept: number[] = [];
  entries.forEach(({ id, path }, i) => {
    const { state, reason = "not a picture" } = found[i];
    if (!isSound(state)) return void skipped.push({ file: path, reason });
    files.push({ id, path, key: path, state });
    kept.push(i);
  });
  if (files.length === 0) {
    throw new HatchlingError(
      `Expected at least one picture in ${
        shown(name)
      } but none of its ${entries.length} files can be used: ` +
        `check data.path${firstOf(skipped)}`,
    );
  }
  const sound = { ...options, skipped, labels: labels && subsetLabels(labels, kept) };
  return new FileDataset(name, files, index, decoder, sound);
}

/** The first reasons, and what is told in a line, for messages. */
export function firstOf(skipped: SkippedFile[]): string {
  const { damaged, notes } = sortLeftOut(skipped);
  const named = damaged.slice(0, 3).map(({ file, reason }) => `${shown(file)}: ${shown(reason)}`);
  return [...named, ...notes].map((line) => `\n  ${line}`).join("");
}

/** A decoder of these options, which refuses bad ones; it starts no worker yet. */
export function decoderOf({ numWorkers, maxPixels, channels }: FilesOptions): Decoder {
  return new Decoder({ workers: numWorkers, maxPixels, channels });
}

/** What {@linkcode openFiles} gives. */
export class FileDataset implements Dataset {
  readonly name: string;
  readonly length: number;
  readonly largestPixels: number;
  readonly channels: number;
  readonly labels?: Record<string, Labels>;
  readonly skipped: SkippedFile[];
  readonly #files: readonly PictureFile[];
  readonly #index: FileIndex;
  readonly #maxPixels: number;
  readonly #decoder: Decoder;
  readonly #cache: PictureCache;
  readonly #damaged = new Map<number, DamagedPictureError>();

  /**
   * Starts no worker yet.
   *
   * @param files Files whose state is in `index`.
   * @param decoder Made by {@linkcode decoderOf}.
   */
  constructor(
    name: string,
    files: readonly PictureFile[],
    index: FileIndex,
    decoder: Decoder,
    options: FilesOptions,
  ) {
    const { maxPixels = Infinity, cacheBytes = 2 ** 30, channels = 3, labels, skipped = [] } =
      options;
    this.name = name;
    this.channels = channels;
    this.length = files.length;
    this.labels = labels;
    this.skipped = skipped;
    this.#files = files;
    this.#index = index;
    this.#maxPixels = maxPixels;
    this.#decoder = decoder;
    this.#cache = new PictureCache(cacheBytes, (i) => this.#decode(i));
    this.largestPixels = files.reduce((most, file) => Math.max(most, this.#pixels(file)), 0);
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

  /**
   * Places by the files' contents (see {@linkcode fingerprint}), which are read once and kept in the index.
   *
   * @param onProgress Called while contents are read.
   */
  async places(onProgress?: Progress): Promise<Float64Array> {
    const unknown = this.#files.filter(({ state }) => state.place === undefined);
    const found = await lookAtAll(
      unknown.map(({ path, state: { size, mtime, ctime } }) => {
        return { path, known: { size, mtime, ctime } };
      }),
      "contents",
      onProgress,
    );
    const lost = new Map<PictureFile, number>(); // changed or gone: for this run only
    unknown.forEach((file, i) => {
      const { same, place } = found[i];
      if (same && place !== undefined) this.#index.setPlace(file.key, file.state, place);
      else lost.set(file, place ?? 0);
    });
    await this.#index.save();
    return Float64Array.from(this.#files, (file) => file.state.place ?? lost.get(file)!);
  }

  /**
   * A hash of names and sizes.
   *
   * @param indices Pictures to take into account. Default: all.
   */
  fingerprint(indices?: ArrayLike<number>): Promise<string> {
    const files = indices ? Array.from(indices, (i) => this.#file(i)) : this.#files;
    return hashOf(files.map(({ id, state }) => [id, state.size]));
  }

  /** Ends the decoding workers and drops the cached pictures. */
  close(): void {
    this.#decoder.close();
    this.#cache.clear();
  }

  #file(i: number): PictureFile {
    if (!Number.isInteger(i) || i < 0 || i >= this.length) {
      throw new HatchlingError(`Expected a picture index in [0, ${this.length}), found ${i}`);
    }
    return this.#files[i];
  }

  /** Pixels of a picture by its header, after the reduction to `maxPixels`. */
  #pixels({ state: { header } }: PictureFile): number {
    const { width, height } = fitWithin(header.width, header.height, this.#maxPixels);
    return width * height;
  }

  async #decode(i: number): Promise<Picture> {
    const known = this.#damaged.get(i);
    if (known) throw known;
    const listed = this.#files[i];
    const decoded = await this.#decoder.decode(listed.path);
    const { file, picture } = decoded;
    if (picture && picture.width * picture.height <= this.#pixels(listed)) return picture;
    const reason = decoded.reason ??
      `it is ${picture!.width} × ${
        picture!.height
      } now, larger than when it was listed: it changed since`;
    const error = new DamagedPictureError(`${shown(file)}: ${shown(reason!)}`);
    this.#damaged.set(i, error);
    this.skipped.push({ file, reason });
    throw error;
  }
}
