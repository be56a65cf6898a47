/**
 * Sets that come in files of many pictures, and with a split of their own.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import type { Progress } from "./dataset.ts";
import type { Split } from "./split.ts";

/** Options of sets in such files. */
export interface PartsOptions {
  /** "train" and "val" are the sides as published, training and test; "all" is one after the other. Default. */
  split?: Split;
  /** Channels of the pictures; gray and colour turn into each other. Default 3. */
  channels?: number;
  /** Larger pictures are reduced to at most this many pixels. Default: none are. */
  maxPixels?: number;
  /** Called after each file, with the number of files done and of all. */
  onProgress?: Progress;
}

/** Which published sides a split wants, in the order of the set. */
export function sidesOf(split: Split): ("train" | "test")[] {
  const sides = { all: ["train", "test"], train: ["train"], val: ["test"] } as const;
  if (Object.hasOwn(sides, split)) return [...sides[split]];
  throw new HatchlingError(
    `Expected data.split to be "all", "train" or "val" but found ${JSON.stringify(split)}`,
  );
}

/**
 * Where a picture of parts that follow one another is.
 *
 * @param parts Parts with their number of pictures.
 * @param i Index in the whole, within its range.
 * @returns Its part, and its number there.
 */
export function locate<P extends { length: number }>(parts: readonly P[], i: number): [P, number] {
  for (const part of parts) {
    if (i < part.length) return [part, i];
    i -= part.length;
  }
  throw new RangeError("no such picture");
}
