/**
 * The sound pictures of a data set, some at a time, in their order.
 *
 * @module
 */
import { dirname } from "node:path";
import type { Dataset } from "../data/dataset.ts";
import type { Picture } from "../data/image.ts";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { soundPicture } from "../from_config/pictures.ts";

/** A picture that was decoded. */
export interface Sound {
  index: number;
  picture: Picture;
}

/**
 * Decodes pictures; the next ones are under way while those given are used. Damaged ones are left out.
 *
 * @param indices Which.
 * @param size How many to decode at once; two times as many are in memory.
 */
export async function* soundPictures(
  dataset: Dataset,
  indices: ArrayLike<number>,
  size: number,
): AsyncGenerator<{ sound: Sound[]; done: number }> {
  const load = (from: number) =>
    Promise.all(
      Array.from({ length: Math.min(size, indices.length - from) }, async (_, i) => {
        const index = indices[from + i];
        return { index, picture: await soundPicture(dataset, index) };
      }),
    );
  let next = load(0);
  next.catch(() => {}); // it is awaited below, and may fail before
  for (let from = 0; from < indices.length; from += size) {
    const found = await next;
    if (from + size < indices.length) {
      next = load(from + size);
      next.catch(() => {});
    }
    const sound = found.filter((one): one is Sound => one.picture !== undefined);
    yield { sound, done: from + found.length };
  }
}

/**
 * Checks a path that should lead to pictures, before anything else is loaded.
 *
 * @throws {HatchlingError} When there is nothing.
 */
export async function requirePictures(path: string): Promise<void> {
  try {
    await Deno.stat(path);
  } catch (error) {
    const archive = await fileAbove(path);
    const why = archive === undefined
      ? (error as Error).message.replace(/^(.*?) \(os error.*/, "$1")
      : `${shown(archive)} is a file, not a folder: unpack it (archives are not looked into)`;
    throw new HatchlingError(`Expected pictures at ${shown(path)} but cannot open it: ${why}`);
  }
}

/** The part of a path that is a file where a folder should be. */
async function fileAbove(path: string): Promise<string | undefined> {
  for (let above = dirname(path); above !== dirname(above); above = dirname(above)) {
    const info = await Deno.stat(above).catch(() => undefined);
    if (info) return info.isFile ? above : undefined;
  }
}
