/**
 * From pictures to features: whole pictures and random views of them, through several encoders at once.
 *
 * @module
 */
import { allOrNone } from "../comm/all_or_none.ts";
import type { Comm } from "../comm/comm.ts";
import type { Dataset } from "../data/dataset.ts";
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import { type BatchOptions, encodeBatch, type EncodedBatch } from "./batch.ts";
import type { Encoder } from "./encoder.ts";
import { type FeatureArray, l2Normalize } from "./features.ts";
import { agreedBatchSize, encodeShared } from "./share.ts";

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
export interface EncodeOptions extends BatchOptions {
  /** Pictures per forward pass; fewer where the adapter binds less at once. */
  batchSize: number;
  /** Called with the number of pictures done; of several ranks on rank 0 alone. */
  onProgress?: (done: number) => void;
  /** Ranks that share the work: each of them has to ask for the same. Default: this one does all of it. */
  comm?: Comm;
}

/**
 * Features of the pictures at `indices`, by every encoder, from the same views.
 *
 * A view is a crop of 25 to 60 % of the area, flipped half the time, with brightness, contrast and
 * saturation changed by up to 20 %, hue by up to 5 % of a turn; its draws depend on (seed, image) alone.
 *
 * With several ranks each encodes a stretch of the batches, and rank 0 gets all features, the same bits as alone
 * where adapters are of one kind and their kernels the same. Where one rank fails all of them throw, also when
 * `onProgress` does.
 *
 * @returns By encoder; of several ranks on rank 0 alone, elsewhere nothing.
 * @throws {HatchlingError} When no picture is sound, features are not finite, or another rank fails.
 */
export async function encodePictures(
  gpu: Gpu,
  dataset: Dataset,
  indices: ArrayLike<number>,
  encoders: readonly Encoder[],
  options: EncodeOptions,
): Promise<EncodedPictures[]> {
  const { comm, views, onProgress = () => {} } = options;
  const most = gpu.limits.maxStorageBufferBindingSize;
  const fits = Math.floor(most / Math.max(...encoders.map((encoder) => encoder.imageBytes)));
  const batchSize = await agreedBatchSize(comm, {
    batchSize: Math.max(1, Math.min(options.batchSize, fits)),
    pictures: indices.length,
    encoders: encoders.length,
    views,
  });
  const batches = await encodeShared(
    { comm, dataset, indices, batchSize },
    (asked) => encodeBatch(gpu, dataset, asked, encoders, options),
    onProgress,
  );
  return await allOrNone(comm, () => {
    if (comm?.rank) return [];
    const kept = batches.flatMap((batch) => batch.indices);
    if (kept.length) return encoders.map((_, e) => joined(batches, kept, e));
    throw new HatchlingError(
      `Expected sound pictures but found none among the ${indices.length} asked for in ${dataset.name}`,
    );
  });
}

/** The features of one encoder. */
function joined(
  batches: readonly EncodedBatch[],
  indices: number[],
  encoder: number,
): EncodedPictures {
  const rows = batches.flatMap((batch) => batch.rows[encoder] ?? []);
  const whole = join(rows.map(({ whole }) => whole), indices.length);
  const views = rows[0].views && join(rows.map(({ views }) => views!), indices.length);
  return {
    indices,
    whole: normalized(whole),
    views: views && normalized(views),
    raw: { whole, views },
  };
}

function join(parts: readonly Float32Array[], count: number): FeatureArray {
  const data = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { data, shape: [count, data.length / count] };
}

function normalized({ data, shape }: FeatureArray): FeatureArray {
  return { data: l2Normalize(data, shape[1]), shape };
}
