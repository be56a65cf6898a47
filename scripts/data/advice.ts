/**
 * What to change before training on a folder.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { shown } from "../../lib/text.ts";
import type { Check } from "./check.ts";
import { bytes, count, many, percent } from "../../lib/words.ts";

/** Shares from which on something is worth saying. */
const SMALL = 0.1, DOMINANT = 0.5, DOMINANT_OF_TWO = 0.8;

/**
 * Advice, most urgent first: plain sentences that name the keys of the configuration.
 *
 * @param found What a check found.
 * @param config The configuration of the training to come.
 * @param memory Bytes of memory of this machine.
 */
export function adviceFor(found: Check, config: Config, memory: number): string[] {
  if (found.pictures === 0) return [];
  return [
    ...tooFew(found, config),
    ...tooSmall(found, config),
    ...dominated(found),
    ...colours(found, config),
    ...copies(found),
    ...cached(found, config, memory),
  ];
}

function tooFew({ pictures }: Check, { data: { batch_size } }: Config): string[] {
  if (pictures >= batch_size) return [];
  return [
    `${many(pictures, "picture")} ${pictures === 1 ? "is" : "are"} fewer than a batch of ` +
    `${count(batch_size)}: set data.batch_size to ${pictures} or less, or add pictures`,
  ];
}

function tooSmall({ pictures, shorterSides, shorterSide }: Check, config: Config): string[] {
  const { augmentation: { global_crop_size: size }, model: { patch_size: patch } } = config;
  // Ranges that lie below the size as a whole: a lower bound, which is all that is claimed.
  const small = shorterSides.filter(({ to }) => to !== undefined && to < size)
    .reduce((sum, bin) => sum + bin.count, 0);
  if (small < SMALL * pictures) return [];
  const fitting = Math.max(1, Math.floor(shorterSide.median / patch)) * patch;
  return [
    `${
      percent(small / pictures)
    } of the pictures are smaller than a global view (${size} px): their ` +
    `views are enlarged, which shows the model no more than there is` +
    (fitting < size
      ? `. Set augmentation.global_crop_size to ${fitting} or less, and augmentation.local_crop_size ` +
        `to less than half of it`
      : ""),
  ];
}

function dominated({ pictures, folders }: Check): string[] {
  const [{ name, count: most }] = folders;
  const limit = folders.length === 2 ? DOMINANT_OF_TWO : DOMINANT;
  if (folders.length < 2 || most < limit * pictures) return [];
  return [
    `${percent(most / pictures)} of the pictures lie in one of ${folders.length} folders ` +
    `(${shown(name)}): training sees little else, and a k-NN that always says ${
      shown(name)
    } is as often right`,
  ];
}

function colours({ pictures, gray }: Check, { model: { in_chans } }: Config): string[] {
  if (gray < pictures || in_chans === 1) return [];
  return ["no picture has any colour: model.in_chans 1 trains on one channel instead of three"];
}

function copies({ duplicates, samePixels = [], duplicateBytes }: Check): string[] {
  const extra = duplicates.reduce((sum, group) => sum + group.length - 1, 0);
  const alike = samePixels.reduce((sum, group) => sum + group.length - 1, 0);
  return [
    ...(extra
      ? [
        `${many(extra, "file is an exact copy", "files are exact copies")} of another ` +
        `(${bytes(duplicateBytes)}): each counts as a picture of its own; keep one`,
      ]
      : []),
    ...(alike
      ? [`${many(alike, "file shows", "files show")} the very pixels of another: keep one`]
      : []),
  ];
}

function cached(found: Check, config: Config, memory: number): string[] {
  const { pictures, reduced, muchReduced, decodedBytes } = found;
  const { cache_bytes: cache, max_pixels: limit } = config.data;
  if (decodedBytes <= cache) return [];
  const lines = [
    `all pictures decoded take ${bytes(decodedBytes)}, the cache holds ${bytes(cache)}: ` +
    `${percent(1 - cache / decodedBytes)} of them are decoded again in every epoch. ` +
    (decodedBytes <= memory / 2
      ? `Set data.cache_bytes to ${Math.ceil(decodedBytes / 2 ** 20) * 2 ** 20} to decode each once`
      : `This machine has ${bytes(memory)} of memory, too little for all: data.max_pixels below ` +
        `${limit} makes each of them smaller`),
  ];
  if (muchReduced > 0) {
    lines.push(
      `${count(reduced)} of ${many(pictures, "picture")} have more pixels than data.max_pixels ` +
        `(${limit}), ${
          count(muchReduced)
        } more than four times as many: whenever one is decoded it is ` +
        `decoded in full and then reduced. Smaller copies of the files, made once, are read faster`,
    );
  }
  return lines;
}
