/**
 * Pictures from a function of your own, whatever they are made of. Nothing here needs a permission.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import {
  DamagedPictureError,
  type Dataset,
  type Labels,
  labelsOf,
  type SkippedFile,
} from "./dataset.ts";
import { compositeOnWhite, type Picture, planesOf, splitAlpha, withChannels } from "./image.ts";
import { reduceTo } from "./resample.ts";

/** Samples as most programs have them: row by row, the C channels of a pixel side by side. */
export interface InterleavedPicture {
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
  /**
   * Channels C ≥ 1. Without it there are four, red, green, blue and straight alpha, as in a browser's
   * `ImageData`: composited on white unless the data set has four channels.
   */
  channels?: number;
  /** Levels from 0 to 255: `[height, width, C]`. */
  data: Uint8Array | Uint8ClampedArray;
}

/**
 * Options of {@linkcode functionDataset}.
 *
 * @category Data
 */
export interface FunctionDatasetOptions {
  /** Name for messages. */
  name: string;
  /** Number of pictures, at least 1. */
  length: number;
  /**
   * Makes the picture at an index in [0, length): a {@linkcode Picture}, or its interleaved samples. Called
   * every time a picture is shown, also several times at once; it should give the same each time. A
   * {@linkcode DamagedPictureError} leaves the picture out and names it in `skipped`; any other error ends
   * the run.
   */
  picture(i: number): Picture | InterleavedPicture | Promise<Picture | InterleavedPicture>;
  /** A stable name of the picture at an index. Default: the index. */
  id?(i: number): string;
  /**
   * Labels by kind, for evaluation only: a class name per picture, or class numbers and the names that they
   * count.
   */
  labels?: Record<string, readonly string[] | Labels>;
  /** Channels C ≥ 1 of the data set: `model.in_chans`. Gray and colour turn into each other. Default 3. */
  channels?: number;
  /**
   * Larger pictures are reduced to at most this many pixels, antialiased. Batches have room for as many, so
   * give the size of your pictures where all are smaller. Default 262,144 (512 × 512).
   */
  maxPixels?: number;
}

/**
 * A data set from a function that makes a picture.
 *
 * Samples of any number of channels will do: microscopy, satellite bands, spectrograms, what a program draws.
 * Levels are 8-bit: scale others to 0…255 first.
 *
 * @throws {HatchlingError} when an option is out of its range, or labels do not fit; from `picture(i)`, when
 * what the function gives is no picture, or has other channels than the data set.
 *
 * @example
 * ```ts
 * import { functionDataset } from "@hatchling/hatchling/data";
 *
 * // Two bands of 8 × 8 pixels, as a satellite might send them.
 * const bands = functionDataset({
 *   name: "bands",
 *   length: 1000,
 *   channels: 2,
 *   maxPixels: 64,
 *   picture: (i) => {
 *     const data = Uint8Array.from({ length: 8 * 8 * 2 }, (_, at) => (i + at) % 256);
 *     return { width: 8, height: 8, channels: 2, data };
 *   },
 *   labels: { parity: Array.from({ length: 1000 }, (_, i) => i % 2 ? "odd" : "even") },
 * });
 * const { data } = await bands.picture(7);
 * console.assert(data.length === 4 * 64 && data[0] === 7 && data[1] === 8);
 * ```
 *
 * @category Data
 */
export function functionDataset(options: FunctionDatasetOptions): Dataset {
  const { name, length, channels = 3, maxPixels = 2 ** 18 } = options;
  requireCount(`"length" of ${shown(name)}`, length);
  requireCount(`"channels" of ${shown(name)}`, channels);
  requireCount(`"maxPixels" of ${shown(name)}`, maxPixels);
  const checked = (i: number): number => {
    if (Number.isInteger(i) && i >= 0 && i < length) return i;
    throw new HatchlingError(`Expected a picture index in [0, ${length}), found ${i}`);
  };
  const damaged = new Set<number>(), skipped: SkippedFile[] = [];
  const make = async (i: number) => {
    try {
      return await options.picture(checked(i));
    } catch (error) {
      if (error instanceof DamagedPictureError && !damaged.has(i)) {
        damaged.add(i);
        skipped.push({ file: dataset.id(i), reason: error.message });
      }
      throw error;
    }
  };
  const dataset: Dataset = {
    name,
    length,
    largestPixels: maxPixels,
    channels,
    picture: async (i) => {
      const found = await make(i);
      try {
        return asPicture(found, channels, maxPixels);
      } catch (error) {
        if (!(error instanceof HatchlingError)) throw error;
        throw new HatchlingError(`Picture ${i} of ${shown(name)}: ${error.message}`, {
          cause: error,
        });
      }
    },
    id: (i) => options.id ? options.id(checked(i)) : String(checked(i)),
    skipped,
  };
  if (options.labels) {
    dataset.labels = Object.fromEntries(
      Object.entries(options.labels).map(([kind, given]) => {
        return [kind, asLabels(`labels "${shown(kind)}" of ${shown(name)}`, given, length)];
      }),
    );
  }
  return dataset;
}

/**
 * Packs interleaved samples into planes of three channels.
 *
 * @param picture Samples with `channels` given.
 */
export function packInterleaved(picture: InterleavedPicture & { channels: number }): Picture {
  const { width, height, channels, data } = picture;
  const pixels = width * height;
  const planes = new Uint8Array(4 * pixels * planesOf(channels)).fill(255);
  for (let first = 0, to = 0; first < channels; first += 3) {
    const [second, third] = channels === 1 ? [first, first] : [first + 1, first + 2];
    for (let from = 0; from < pixels * channels; from += channels, to += 4) {
      planes[to] = data[from + first];
      planes[to + 1] = second < channels ? data[from + second] : 0;
      planes[to + 2] = third < channels ? data[from + third] : 0;
    }
  }
  return { width, height, channels, data: planes };
}

/**
 * What a function gave, as the data set needs it.
 *
 * @throws {HatchlingError} When it is no picture, or of other channels.
 */
export function asPicture(
  found: Picture | InterleavedPicture,
  channels: number,
  maxPixels: number,
): Picture {
  return withChannels(reduceTo(asPlanes(found, channels), maxPixels), channels);
}

function asPlanes(found: Picture | InterleavedPicture, channels: number): Picture {
  const { width, height, data } = found ?? {};
  requireCount("width", width);
  requireCount("height", height);
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new HatchlingError(
      `Expected data as a Uint8Array or Uint8ClampedArray but found ${
        describe(data)
      }: scale levels to ` +
        `0…255 first`,
    );
  }
  const own = found.channels ?? 4, pixels = width * height;
  requireCount("channels", own);
  if (data.length === own * pixels) {
    if (found.channels !== undefined) {
      return packInterleaved({ width, height, channels: own, data });
    }
    const rgba = { width, height, data: new Uint8Array(data) }; // a copy: the original is not ours
    if (channels === 4) return splitAlpha(rgba);
    compositeOnWhite(rgba.data);
    return rgba;
  }
  // Never as long as interleaved samples: 4·⌈C / 3⌉ > C.
  if (found.channels !== undefined && data.length === 4 * planesOf(own) * pixels) {
    return found as Picture;
  }
  throw new HatchlingError(
    `Expected ${own * pixels} bytes for ${width} × ${height} pixels of ${own} channels but found ` +
      `${data.length}: give one byte per channel and pixel, and say how many "channels" there are`,
  );
}

/** Throws unless a value is an integer from 1 on. */
function requireCount(what: string, value: unknown): asserts value is number {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return;
  throw new HatchlingError(
    `Expected ${what} to be an integer from 1 on but found ${describe(value)}`,
  );
}

/** Labels with a class for every picture, and a name for every class. */
function asLabels(what: string, given: readonly string[] | Labels, length: number): Labels {
  const isNames = Array.isArray(given) && given.every((name) => typeof name === "string");
  const labels = isNames ? labelsOf(given) : given as Labels;
  const { values, names } = labels ?? {};
  if (!(values instanceof Int32Array) || !Array.isArray(names)) {
    throw new HatchlingError(
      `Expected ${what} as a list of names, or as { values: Int32Array, names: string[] }`,
    );
  }
  if (values.length !== length) {
    throw new HatchlingError(
      `Expected ${what} for ${length} pictures but found ${values.length}: give one per picture`,
    );
  }
  const wrong = values.findIndex((value) => value < 0 || value >= names.length);
  if (wrong >= 0) {
    throw new HatchlingError(
      `Expected ${what} from 0 to ${
        names.length - 1
      }, as there are ${names.length} names, but picture ` +
        `${wrong} has ${values[wrong]}`,
    );
  }
  return labels;
}

/** A value, or of an object only what it is. */
export function describe(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (value === null || typeof value !== "object") {
    return typeof value === "string" ? JSON.stringify(value) : String(value);
  }
  return `a value of type ${value.constructor?.name ?? "Object"}`;
}
