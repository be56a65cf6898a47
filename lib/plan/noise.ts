/**
 * Pictures that stand for those of a run, as far as its time and memory go.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { packPictures, planesOf } from "../data/image.ts";
import type { Batch } from "../data/loader.ts";
import type { BatchSource } from "../train/feed.ts";

/** What the pictures decide. */
export interface PictureSizes {
  /** Pixels of the largest one. */
  largestPixels: number;
}

/** Batches of noise in pictures of the largest size, made when the first one is asked for. */
export function noise(config: Config, { largestPixels }: PictureSizes): BatchSource {
  const { batch_size: batchSize } = config.data;
  const { in_chans: channels } = config.model;
  const capacityPixels = batchSize * largestPixels * planesOf(channels);
  let made: Batch | undefined;
  const make = (): Batch => {
    const side = Math.max(1, Math.floor(Math.sqrt(largestPixels)));
    const data = new Uint8Array(4 * side * side * planesOf(channels));
    for (let i = 0; i < data.length; i++) data[i] = Math.imul(i, 2654435761) >>> 24;
    const picture = { width: side, height: side, channels, data };
    const packed = packPictures(new Array(batchSize).fill(picture));
    const indices = Uint32Array.from({ length: batchSize }, (_, i) => i);
    return { step: 0, epoch: 0, indices, ...packed, buildTime: 0 };
  };
  return {
    batchSize,
    capacityPixels,
    batch: () => Promise.resolve(made ??= make()),
    release: () => {},
  };
}
