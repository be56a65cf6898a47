/**
 * Splits a data set into training and validation by the contents of its pictures.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { DamagedPictureError, type Dataset, type Labels, type Progress } from "./dataset.ts";
import type { Picture } from "./image.ts";
import { placeOf } from "./inspect.ts";

/** Sides of a split, or both. */
export type Split = "all" | "train" | "val";

/** Pictures read at a time where a data set does not know its places. */
const TOGETHER = 64;

/**
 * The side of a picture.
 *
 * @param place Its place in [0, 1), see {@linkcode placeOf}.
 * @param valFraction Share of the validation side, in (0, 1).
 */
export function splitOf(place: number, valFraction: number): "train" | "val" {
  return place < valFraction ? "val" : "train";
}

/**
 * One side of a data set. The side of a picture follows from its contents alone (see
 * {@linkcode fingerprint}): exact copies are on one side, wherever they lie, and adding or removing files
 * moves no other. So shares are near `valFraction`, not equal to it.
 *
 * Ids, labels and class numbers are those of the whole set; `skipped` and `close` are shared with it.
 *
 * @param dataset The whole set.
 * @param split Side to give; "all" gives the set itself.
 * @param valFraction Share of the validation side, in (0, 1).
 * @returns A data set whose index i counts the pictures of its side only, in the order of the whole set.
 * @throws {HatchlingError} when the share is out of its range, or there is no picture on that side.
 *
 * @example
 * ```ts
 * import { splitDataset } from "@hatchling/hatchling/data";
 *
 * const greys = {
 *   name: "greys",
 *   length: 256,
 *   largestPixels: 1,
 *   picture: (i: number) => ({ width: 1, height: 1, data: Uint8Array.of(i, i, i, 255) }),
 *   id: String,
 *   skipped: [],
 * };
 * const [train, val] = [await splitDataset(greys, "train", 0.1), await splitDataset(greys, "val", 0.1)];
 * console.assert(train.length + val.length === 256);
 * ```
 */
export async function splitDataset(
  dataset: Dataset,
  split: Split,
  valFraction: number,
  { onProgress }: { onProgress?: Progress } = {},
): Promise<Dataset> {
  if (split === "all") return dataset;
  if (split !== "train" && split !== "val") {
    throw new HatchlingError(
      `Expected data.split to be "all", "train" or "val" but found ${JSON.stringify(split)}`,
    );
  }
  if (!(valFraction > 0 && valFraction < 1)) {
    throw new HatchlingError(
      `Expected data.val_fraction between 0 and 1 but found ${valFraction}: 0.1 keeps a tenth of the ` +
        `pictures for validation; for no validation set data.split to "all"`,
    );
  }
  const places = await placesOf(dataset, onProgress);
  const indices = Uint32Array.from(places.keys()).filter((i) => {
    return splitOf(places[i], valFraction) === split;
  });
  if (indices.length === 0) {
    throw new HatchlingError(
      `Expected pictures on the ${split} side of ${
        shown(dataset.name)
      } but all ${dataset.length} are on the ` +
        `other one with data.val_fraction ${valFraction}: ${
          split === "val" ? "raise" : "lower"
        } it, ` +
        `add pictures that differ, or set data.split to "all"`,
    );
  }
  return subset(dataset, indices, `${dataset.name} (${split})`);
}

/**
 * Some pictures of a data set.
 *
 * @param dataset The whole set; closing the subset closes it.
 * @param indices Pictures of the set, in the order of the subset.
 * @param name Name for messages. Default: that of the set.
 * @throws {HatchlingError} when an index is out of range, also later, when asked for a picture.
 */
export function subset(
  dataset: Dataset,
  indices: ArrayLike<number>,
  name: string = dataset.name,
): Dataset {
  const at = (i: number): number => {
    if (Number.isInteger(i) && i >= 0 && i < indices.length) return indices[i];
    throw new HatchlingError(`Expected a picture index in [0, ${indices.length}), found ${i}`);
  };
  const { labels, channels, largestPixels, skipped } = dataset;
  const part: Dataset = {
    name,
    length: indices.length,
    largestPixels,
    picture: (i) => dataset.picture(at(i)),
    id: (i) => dataset.id(at(i)),
    skipped,
    places: async (onProgress) => {
      const places = await placesOf(dataset, onProgress);
      return Float64Array.from(indices, (i) => places[i]);
    },
    close: () => dataset.close?.(),
  };
  if (dataset.fingerprint) { // without one of the whole set there is none of a part
    const all = Uint32Array.from({ length: indices.length }, (_, i) => i);
    part.fingerprint = (some = all) => dataset.fingerprint!(Array.from(some, at));
  }
  if (channels !== undefined) part.channels = channels;
  if (labels) part.labels = subsetLabels(labels, indices);
  return part;
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

/** Places of all pictures: those that the data set knows, or by size, channels and pixels. */
async function placesOf(dataset: Dataset, onProgress?: Progress): Promise<Float64Array> {
  if (dataset.places) return await dataset.places(onProgress);
  const n = dataset.length;
  const places = new Float64Array(n);
  for (let from = 0; from < n; from += TOGETHER) {
    const some = Array.from({ length: Math.min(TOGETHER, n - from) }, (_, k) => from + k);
    await Promise.all(some.map(async (i) => places[i] = await placeOfPicture(dataset, i)));
    onProgress?.(from + some.length, n, "comparing pictures");
  }
  return places;
}

async function placeOfPicture(dataset: Dataset, i: number): Promise<number> {
  let picture: Picture;
  try {
    picture = await dataset.picture(i);
  } catch (error) {
    if (error instanceof DamagedPictureError) return 0; // on some side, but always on the same
    throw error;
  }
  const { width, height, channels = 3, data } = picture;
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  [width, height, channels].forEach((value, at) => view.setUint32(4 * at, value, true));
  bytes.set(data, 12);
  return placeOf(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
