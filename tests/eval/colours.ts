/** Pictures whose features are known beforehand, and what tells them. */
import type { Dataset } from "../../lib/data/dataset.ts";
import type { Picture } from "../../lib/data/image.ts";
import type { EncodeOptions } from "../../lib/eval/encode.ts";
import type { Encoder } from "../../lib/eval/encoder.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { rowSum } from "../../lib/ops.ts";
import { paint } from "../data/support.ts";

/** Small batches, views of one seed, no normalisation. */
export const OPTIONS: EncodeOptions = {
  batchSize: 4,
  seed: 3,
  views: true,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

/** Features that are known beforehand: the sum of each channel. */
export function meanColour(gpu: Gpu, size = 8): Encoder {
  return {
    name: `mean colour at ${size}`,
    size,
    imageBytes: 4 * 3 * size * size,
    encode: (images) => {
      const [n] = images.shape;
      return rowSum(gpu, images.view([3 * n, size * size])).view([n, 3]);
    },
  };
}

/** Pictures as a data set. */
export function dataset(pictures: Picture[], labels?: Dataset["labels"]): Dataset {
  return {
    name: "colours",
    length: pictures.length,
    largestPixels: Math.max(...pictures.map(({ width, height }) => width * height)),
    picture: (i) => pictures[i],
    id: String,
    labels,
    skipped: [],
  };
}

/** A picture of one colour. */
export const plain = (rgb: number[], width = 12, height = 9) =>
  paint(width, height, (_x, _y, c) => rgb[c]);
/** A colour as a feature of length 1. */
export const unit = (rgb: number[]) => rgb.map((v) => v / Math.hypot(...rgb));

/** Six that are far apart. */
export const COLOURS = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [
  255,
  0,
  255,
]];

/** Pictures of many colours and sizes. */
export const GRADIENTS = Array.from(
  { length: 7 },
  (_, i) =>
    paint(20 + 5 * i, 40 - 4 * i, (x, y, c) => (x * (i + 2) + y * (c + 1) * 3 + 40 * i) % 256),
);
