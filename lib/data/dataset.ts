/**
 * What the loader and the evaluations need to know of a data set.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import type { Picture } from "./image.ts";

/**
 * One kind of label of all pictures of a data set.
 *
 * @category Data
 */
export interface Labels {
  /** Class of every picture, an index into `names`: `[length]`. */
  values: Int32Array;
  /** Names of the classes. */
  names: string[];
}

/** A file that is not part of the data set, and why. */
export interface SkippedFile {
  /** Path of the file. */
  file: string;
  /** What was found in it. */
  reason: string;
}

/**
 * Called while a data set is opened.
 *
 * @param done Number of files done.
 * @param total Number of all files; 0 while they are still being found.
 * @param doing What is being done, such as "reading headers".
 */
export type Progress = (done: number, total: number, doing: string) => void;

/**
 * Pictures in a fixed order. An index means the same picture in every run over the same files: random
 * numbers are addressed by it.
 *
 * An object literal with the required members will do for data of your own.
 *
 * @example
 * ```ts
 * import type { Dataset } from "@hatchling/hatchling/data";
 *
 * const greys: Dataset = {
 *   name: "greys",
 *   length: 256,
 *   largestPixels: 64,
 *   picture: (i) => ({ width: 8, height: 8, data: new Uint8Array(256).fill(i) }),
 *   id: (i) => `grey ${i}`,
 *   skipped: [],
 * };
 * console.assert(greys.id(7) === "grey 7");
 * ```
 *
 * @category Data
 */
export interface Dataset {
  /** Name for messages. */
  name: string;
  /** Number of pictures. */
  length: number;
  /** Pixels of the largest picture, or a limit that none exceeds: fixes the size of a batch. */
  largestPixels: number;
  /** Channels of every picture. Default 3. */
  channels?: number;
  /**
   * The picture at an index in [0, length). Its data belongs to the data set: do not change it.
   *
   * Throws {@linkcode DamagedPictureError} when the file turns out to be damaged.
   */
  picture(i: number): Picture | Promise<Picture>;
  /** A stable name of the picture at an index, such as its path within the folder. */
  id(i: number): string;
  /** Labels by kind, for evaluation only. */
  labels?: Record<string, Labels>;
  /** Files left out. May grow while pictures are decoded on demand. */
  skipped: SkippedFile[];
  /**
   * A hash that changes when pictures are added, removed or exchanged: see {@linkcode datasetFingerprint}.
   *
   * @param indices Pictures to take into account. Default: all.
   */
  fingerprint?(indices?: ArrayLike<number>): Promise<string>;
  /**
   * A number in [0, 1) for every picture `[length]`, by its contents alone: copies have the same one. By it
   * {@linkcode splitDataset} takes sides; without this member it reads all pictures.
   */
  places?(onProgress?: Progress): Promise<Float64Array>;
  /** Ends workers and drops cached pictures, where there are any. */
  close?(): void;
}

/** A picture that was counted by its header, but whose data is damaged. It is in `skipped` by then. */
export class DamagedPictureError extends HatchlingError {}

/**
 * Labels from one name per picture; classes are numbered in the order of their sorted names.
 *
 * @param perPicture Class name of every picture.
 */
export function labelsOf(perPicture: string[]): Labels {
  const names = [...new Set(perPicture)].sort(); // by UTF-16 code unit: the same on every machine
  const index = new Map(names.map((name, i) => [name, i]));
  return { values: Int32Array.from(perPicture, (name) => index.get(name)!), names };
}
