/**
 * Features of pictures as they are given to users: one row a picture.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { Dataset } from "../data/dataset.ts";
import { encodePictures } from "../eval/encode.ts";
import type { Encoder } from "../eval/encoder.ts";
import type { Whitener } from "../eval/whiten.ts";
import { whitenPictures } from "../eval/whiten_pictures.ts";
import { encodingOf } from "../from_config/readout.ts";
import type { Gpu } from "../gpu.ts";

/** How they are given. */
export interface RowOptions {
  /** Whitens them. */
  whitener?: Whitener;
  /** Rows of length 1. */
  normalize: boolean;
}

/** A row [F] for each picture of a data set: views of what holds them all. */
export async function rowsOf(
  gpu: Gpu,
  config: Pick<Config, "augmentation" | "evaluation" | "training">,
  encoder: Encoder,
  pictures: Dataset,
  { whitener, normalize }: RowOptions,
): Promise<Float32Array[]> {
  const all = Array.from({ length: pictures.length }, (_, i) => i);
  const [encoded] = await encodePictures(gpu, pictures, all, [encoder], {
    ...encodingOf(config),
    views: false,
  });
  const { whole, raw } = whitener ? await whitenPictures(whitener, encoded) : encoded;
  const { data, shape: [, dim] } = normalize ? whole : raw.whole;
  return all.map((i) => data.subarray(i * dim, (i + 1) * dim));
}
