/**
 * How well features find what belongs together among tiles of large pictures.
 *
 * @module
 */
import type { Dataset } from "../../lib/data/dataset.ts";
import { type EncodeOptions, encodePictures } from "../../lib/eval/encode.ts";
import type { Encoder } from "../../lib/eval/encoder.ts";
import type { FeatureArray } from "../../lib/eval/features.ts";
import type { Figure } from "../../lib/eval/figures.ts";
import { voteKnn } from "../../lib/eval/knn.ts";
import { nearest } from "../../lib/eval/nearest.ts";
import { whitenedName } from "../../lib/eval/readout.ts";
import { recallOf } from "../../lib/eval/retrieval.ts";
import { fitWhitening, Whitener, type WhitenOptions } from "../../lib/eval/whiten.ts";
import { whitenPictures } from "../../lib/eval/whiten_pictures.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { changed, nearDuplicate, oneCrop, otherCrop } from "./variants.ts";

/** Neighbours that vote for a scene. */
const VOTERS = 10;

/** Options of {@linkcode judgePhotos}. */
export interface JudgeOptions extends Pick<EncodeOptions, "batchSize" | "mean" | "std"> {
  /** Judge each encoder's features whitened too, fitted to the pictures without their labels. */
  whiten?: WhitenOptions;
  /** Called with what is being done. */
  onProgress?: (what: string) => void;
}

/** Features of all tiles by one encoder: as they are, and changed in the ways that a search has to see through. */
interface Encoded {
  name: string;
  whole: FeatureArray;
  one: FeatureArray;
  other: FeatureArray;
  near: FeatureArray;
}

/**
 * Judges encoders by the same pictures: whether a crop finds the other crop of the same picture, whether what is
 * nearly the same finds its original, and whether a tile's neighbours are of the same scene.
 *
 * @param dataset Tiles with the label `folder`, their scene.
 */
export async function judgePhotos(
  gpu: Gpu,
  dataset: Dataset & Required<Pick<Dataset, "labels">>,
  encoders: readonly Encoder[],
  { whiten, onProgress = () => {}, ...options }: JudgeOptions,
): Promise<Figure[]> {
  const all = Uint32Array.from({ length: dataset.length }, (_, i) => i);
  const variants = {
    whole: dataset,
    one: changed(dataset, oneCrop),
    other: changed(dataset, otherCrop),
    near: changed(dataset, nearDuplicate),
  };
  const found: Partial<Encoded>[] = encoders.map(({ name }) => ({ name }));
  const raw = encoders.map(() => [] as [keyof typeof variants, FeatureArray][]);
  let indices: number[] = [];
  for (const [what, set] of Object.entries(variants)) {
    const key = what as keyof typeof variants;
    const encoded = await encodePictures(gpu, set, all, encoders, {
      ...options,
      seed: 0,
      views: false,
      onProgress: (done) => onProgress(`encoding (${what}): ${done} pictures`),
    });
    indices = encoded[0].indices;
    encoded.forEach(({ whole, raw: { whole: plain } }, e) => {
      found[e][key] = whole;
      raw[e].push([key, plain]);
    });
  }
  const scenes = Int32Array.from(indices, (i) => dataset.labels.folder.values[i]);
  const figures: Figure[] = [];
  for (const [e, one] of found.entries()) {
    onProgress(`judging ${one.name}`);
    figures.push(...await figuresOf(gpu, one as Encoded, scenes));
    if (!whiten) continue;
    const whitener = new Whitener(gpu, fitWhitening(raw[e][0][1], whiten));
    try {
      const white: Partial<Encoded> = { name: whitenedName(one.name!) };
      for (const [key, whole] of raw[e]) {
        white[key] = (await whitenPictures(whitener, { indices, whole, raw: { whole } })).whole;
      }
      figures.push(...await figuresOf(gpu, white as Encoded, scenes));
    } finally {
      whitener.destroy();
    }
  }
  return figures;
}

async function figuresOf(
  gpu: Gpu,
  { name, whole, one, other, near }: Encoded,
  scenes: Int32Array,
): Promise<Figure[]> {
  const own = Int32Array.from(scenes, (_, i) => i);
  const k = Math.min(VOTERS, scenes.length - 1);
  const first = Math.min(5, scenes.length);
  const crops = recallOf(await nearest(gpu, one, other, first), own, own);
  const copies = recallOf(await nearest(gpu, near, whole, first), own, own);
  const neighbors = await nearest(gpu, whole, whole, k, { exclude: own });
  const alike = recallOf(neighbors, scenes, scenes, own);
  const votes = voteKnn(neighbors, scenes, scenes, { k });
  const figure = (group: string, metric: string, percent: number) => ({
    group,
    metric,
    encoder: name,
    percent,
  });
  return [
    figure("other crop", "the other crop of a picture R@1", crops.r1),
    figure("other crop", "the other crop of a picture R@5", crops.r5),
    figure("near-duplicate", "the original of a near-duplicate R@1", copies.r1),
    figure("near-duplicate", "the original of a near-duplicate R@5", copies.r5),
    figure("scene", "a tile of the same scene R@1", alike.r1),
    figure("scene", `scene, k-NN (k ${k})`, votes.top1),
  ];
}
