/**
 * Some pictures of a data set.
 *
 * @module
 */
import { Rng } from "../rng.ts";
import { DamagedPictureError, type Dataset } from "./dataset.ts";
import type { Picture } from "./image.ts";

/** The picture at an index; undefined when it is damaged. */
export async function soundPicture(dataset: Dataset, i: number): Promise<Picture | undefined> {
  try {
    return await dataset.picture(i);
  } catch (error) {
    if (error instanceof DamagedPictureError) return undefined;
    throw error;
  }
}

/**
 * Indices spread over a data set: one at random in each of `n` equal parts, or all where there are fewer. At
 * random, as sets are often in an order that repeats; always the same ones.
 */
export function spreadIndices(length: number, n: number): number[] {
  n = Math.min(n, length);
  const rng = new Rng(0);
  return Array.from({ length: n }, (_, k) => {
    const from = Math.floor(k * length / n), to = Math.floor((k + 1) * length / n);
    return from + rng.int(to - from);
  });
}
