/**
 * A batch of pictures, encoded whole and by a random view.
 *
 * @module
 */
import { applyOps, augmentationOptions, type AugmentOp, sampleView } from "../augmentation.ts";
import type { Dataset } from "../data/dataset.ts";
import { packPictures, type Picture } from "../data/image.ts";
import { soundPicture } from "../data/some.ts";
import type { Gpu } from "../gpu.ts";
import { encodeEach, type Encoder } from "./encoder.ts";

/** What is encoded of a picture. */
export interface BatchOptions {
  /** Seed of the views. */
  seed: number;
  /** Also encode a random view of each picture. */
  views: boolean;
  /** Mean per channel that the model was trained with: C numbers. */
  mean: readonly number[];
  /** Standard deviation per channel that the model was trained with: C numbers. */
  std: readonly number[];
}

/** Features of the pictures of a batch. */
export interface EncodedBatch {
  /** The n pictures that are not damaged, in the order in which they were asked for. */
  indices: number[];
  /** By encoder the features of whole pictures, [n, D], and of a view of each; no encoder where n is 0. */
  rows: { whole: Float32Array; views?: Float32Array }[];
}

/** Encodes the sound ones of some pictures, by every encoder. */
export async function encodeBatch(
  gpu: Gpu,
  dataset: Dataset,
  asked: readonly number[],
  encoders: readonly Encoder[],
  options: BatchOptions,
): Promise<EncodedBatch> {
  const { views } = options, { channels = 3 } = dataset;
  const { indices, ...packed } = await pack(dataset, asked);
  if (!indices.length) return { indices, rows: [] };
  const features = gpu.scope(() => {
    const pixels = gpu.tensor(packed.pixels);
    const table = gpu.tensor(packed.table, [indices.length, 4]);
    const render = (draw: (size: number, ...at: At) => AugmentOp[]) =>
      encodeEach(gpu, encoders, (size) => {
        const list = indices.map((image, b) => {
          const [, width, height] = packed.table.subarray(4 * b, 4 * b + 3);
          return { width, height, ops: draw(size, image, width, height) };
        });
        return applyOps(gpu, pixels, table, list, channels);
      });
    const whole = render((size, _, width, height) => centralSquare(width, height, size, options));
    const seen = views ? render((size, ...at) => randomView(...at, size, options)) : [];
    return encoders.map((_, e) => ({ whole: whole[e], view: views ? seen[e] : undefined }));
  });
  const tensors = features.flatMap(({ whole, view }) => view ? [whole, view] : [whole]);
  const values = await gpu.read(tensors);
  for (const t of tensors) t.destroy();
  const rows = encoders.map(() => ({
    whole: values.shift()!,
    views: views ? values.shift()! : undefined,
  }));
  return { indices, rows };
}

/** A picture: its index, width and height. */
type At = [image: number, width: number, height: number];

/** The sound ones of some pictures, in one buffer with their table of offsets and sizes. */
async function pack(dataset: Dataset, asked: readonly number[]) {
  const indices: number[] = [], pictures: Picture[] = [];
  const found = await Promise.all(asked.map((i) => soundPicture(dataset, i)));
  found.forEach((picture, i) => {
    if (!picture) return;
    indices.push(asked[i]);
    pictures.push(picture);
  });
  return { indices, ...packPictures(pictures) };
}

function centralSquare(
  width: number,
  height: number,
  size: number,
  { mean, std }: BatchOptions,
): AugmentOp[] {
  const side = Math.min(width, height);
  const [top, left] = [Math.floor((height - side) / 2), Math.floor((width - side) / 2)];
  return [{ op: "resized_crop", top, left, height: side, width: side, size }, {
    op: "normalize",
    mean,
    std,
  }];
}

function randomView(
  image: number,
  width: number,
  height: number,
  size: number,
  { seed, mean, std }: BatchOptions,
): AugmentOp[] {
  const view = augmentationOptions({
    globalCropSize: size,
    cropScale: [0.25, 0.6],
    colorJitterProb: 1,
    brightness: 0.2,
    contrast: 0.2,
    saturation: 0.2,
    hue: 0.05,
    grayscaleProb: 0,
    gaussianBlurProb: 0,
    solarizationProb: 0,
    channels: mean.length,
    normalizeMean: [...mean],
    normalizeStd: [...std],
  });
  // Epoch numbers of a run start at 0: this one belongs to the evaluation alone.
  return sampleView(view, { seed, epoch: 0xffffffff, image, view: 0, width, height }).ops;
}
