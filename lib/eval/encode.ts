/**
 * From pictures to features: whole pictures and random views of them, through several encoders at once.
 *
 * @module
 */
import { applyOps, augmentationOptions, type AugmentOp, sampleView } from "../augmentation.ts";
import { DamagedPictureError, type Dataset } from "../data/dataset.ts";
import { packPictures, type Picture } from "../data/image.ts";
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import { encodeEach, type Encoder } from "./encoder.ts";
import { type FeatureArray, l2Normalize } from "./features.ts";

/**
 * Features of one encoder.
 *
 * @category Evaluation
 */
export interface EncodedPictures {
  /** The pictures encoded, [n]: those asked for but for the ones that turned out to be damaged. */
  indices: number[];
  /** Of whole pictures (the central square), [n, D], L2-normalised. */
  whole: FeatureArray;
  /** Of one random view of each, [n, D], L2-normalised. */
  views?: FeatureArray;
  /** Both as the encoder gave them. */
  raw: { whole: FeatureArray; views?: FeatureArray };
}

/** Options of {@linkcode encodePictures}. */
export interface EncodeOptions {
  /** Pictures per forward pass; fewer where the adapter binds less at once. */
  batchSize: number;
  /** Seed of the views. */
  seed: number;
  /** Also encode a random view of each picture. */
  views: boolean;
  /** Mean per channel that the model was trained with: C numbers. */
  mean: readonly number[];
  /** Standard deviation per channel that the model was trained with: C numbers. */
  std: readonly number[];
  /** Called with the number of pictures done. */
  onProgress?: (done: number) => void;
}

/**
 * Features of the pictures at `indices`, by every encoder, from the same views.
 *
 * A view is a crop of 25 to 60 % of the area, flipped half the time, with brightness, contrast and
 * saturation changed by up to 20 %, hue by up to 5 % of a turn; its draws depend on (seed, image) alone.
 *
 * @throws {HatchlingError} When no picture is sound, or features are not finite.
 */
export async function encodePictures(
  gpu: Gpu,
  dataset: Dataset,
  indices: ArrayLike<number>,
  encoders: readonly Encoder[],
  options: EncodeOptions,
): Promise<EncodedPictures[]> {
  const { views } = options;
  const { channels = 3 } = dataset;
  const most = gpu.limits.maxStorageBufferBindingSize;
  const fits = Math.floor(most / Math.max(...encoders.map((encoder) => encoder.imageBytes)));
  const batchSize = Math.max(1, Math.min(options.batchSize, fits));
  const kept: number[] = [];
  const rows = encoders.map(() => ({ whole: [] as Float32Array[], views: [] as Float32Array[] }));
  const dims = encoders.map(() => 0);
  for (let from = 0; from < indices.length; from += batchSize) {
    const asked = Array.from(
      { length: Math.min(batchSize, indices.length - from) },
      (_, i) => indices[from + i],
    );
    const { chosen, ...packed } = await pack(dataset, asked);
    if (!chosen.length) continue;
    kept.push(...chosen);
    const features = gpu.scope(() => {
      const pixels = gpu.tensor(packed.pixels);
      const table = gpu.tensor(packed.table, [chosen.length, 4]);
      const render = (draw: (size: number, ...at: At) => AugmentOp[]) =>
        encodeEach(gpu, encoders, (size) => {
          const list = chosen.map((image, b) => {
            const [, width, height] = packed.table.subarray(4 * b, 4 * b + 3);
            return { width, height, ops: draw(size, image, width, height) };
          });
          return applyOps(gpu, pixels, table, list, channels);
        });
      const whole = render((size, _, width, height) => centralSquare(width, height, size, options));
      const seen = views ? render((size, ...at) => randomView(...at, size, options)) : [];
      return encoders.map((_, e) => {
        dims[e] = whole[e].shape[1];
        return { whole: whole[e], view: views ? seen[e] : undefined };
      });
    });
    const tensors = features.flatMap(({ whole, view }) => view ? [whole, view] : [whole]);
    const values = await gpu.read(tensors);
    for (const t of tensors) t.destroy();
    rows.forEach((row) => {
      row.whole.push(values.shift()!);
      if (views) row.views.push(values.shift()!);
    });
    options.onProgress?.(from + asked.length);
  }
  if (!kept.length) {
    throw new HatchlingError(
      `Expected sound pictures but found none among the ${indices.length} asked for in ${dataset.name}`,
    );
  }
  const join = (parts: Float32Array[], dim: number): FeatureArray => {
    const data = new Float32Array(kept.length * dim);
    let at = 0;
    for (const part of parts) {
      data.set(part, at);
      at += part.length;
    }
    return { data, shape: [kept.length, dim] };
  };
  const normalized = ({ data, shape }: FeatureArray): FeatureArray => ({
    data: l2Normalize(data, shape[1]),
    shape,
  });
  return rows.map((row, e) => {
    const raw = {
      whole: join(row.whole, dims[e]),
      views: views ? join(row.views, dims[e]) : undefined,
    };
    return {
      indices: kept,
      whole: normalized(raw.whole),
      views: raw.views && normalized(raw.views),
      raw,
    };
  });
}

/** A picture: its index, width and height. */
type At = [image: number, width: number, height: number];

/** The sound ones of some pictures, in one buffer with their table of offsets and sizes. */
async function pack(dataset: Dataset, indices: readonly number[]) {
  const chosen: number[] = [];
  const pictures: Picture[] = [];
  const found = await Promise.all(indices.map((i) => soundPicture(dataset, i)));
  found.forEach((picture, i) => {
    if (!picture) return;
    chosen.push(indices[i]);
    pictures.push(picture);
  });
  return { chosen, ...packPictures(pictures) };
}

/** Undefined when the file is damaged, which may not be known before it is decoded. */
async function soundPicture(dataset: Dataset, index: number): Promise<Picture | undefined> {
  try {
    return await dataset.picture(index);
  } catch (error) {
    if (!(error instanceof DamagedPictureError)) throw error;
  }
}

function centralSquare(
  width: number,
  height: number,
  size: number,
  { mean, std }: EncodeOptions,
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
  { seed, mean, std }: EncodeOptions,
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
