/**
 * Runs a case through the training kernels and through exact arithmetic.
 *
 * @module
 */
import { applyOps, AUGMENTATION_DEFAULTS, type AugmentOp } from "../../lib/augmentation.ts";
import { packPictures, planesOf } from "../../lib/data/image.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { Rng } from "../../lib/rng.ts";
import { exact, exactNormalize, type Levels } from "../../lib/prove/levels.ts";
import type { ErrorCase, Limit } from "./cases.ts";
import { KINDS, picture } from "./pictures.ts";

/** A picture, and what is done to it. */
export interface Sample {
  /** Levels `[H, W, C]`. */
  picture: Levels;
  /** Operations in order. */
  ops: AugmentOp[];
}

/** How far the kernels are from exact arithmetic. */
export interface ErrorRow {
  /** Pictures of all kinds. */
  pictures: number;
  /** Values compared. */
  values: number;
  /** Largest difference in levels of 255. */
  max: number;
  /** Share of the values that differ. */
  share: number;
  /** Mean difference in levels, over all values. */
  mean: number;
}

/** Draws the n-th sample of a case; kinds of pictures take turns. */
export function sampleOf(test: ErrorCase, seed: number, n: number): Sample {
  const rng = new Rng(seed, n);
  const [least, most] = test.sides;
  const side = () => least + rng.int(most - least + 1);
  const [height, width] = [side(), side()];
  const kind = KINDS[n % KINDS.length];
  const ops = test.ops(rng, height, width, Math.floor(n / KINDS.length));
  return { picture: picture(kind, rng, height, width, test.channels), ops };
}

/** What exact arithmetic makes of a sample: levels `[C, H, W]`, or floats after normalize. */
export function expectedOf({ picture, ops }: Sample): Float32Array {
  const out = exact(picture, ops);
  if (ops.at(-1)?.op === "normalize") return exactNormalize(out);
  const area = out.height * out.width, c = out.channels;
  return Float32Array.from(out.data, (_, i) => out.data[(i % area) * c + Math.floor(i / area)]);
}

/** What the kernels make of samples. */
export async function foundOf(gpu: Gpu, samples: readonly Sample[]): Promise<Float32Array[]> {
  const tensors = samples.map(({ picture, ops }) => {
    const { height, width, channels } = picture;
    const { pixels, table } = packPictures([{ width, height, channels, data: planesIn(picture) }]);
    const [source, rows] = [gpu.tensor(pixels), gpu.tensor(table, [1, 4])];
    const out = applyOps(gpu, source, rows, [{ width, height, ops }], channels);
    return [out, source, rows];
  });
  try {
    return await gpu.read(tensors.map(([out]) => out));
  } finally {
    for (const tensor of tensors.flat()) tensor.destroy();
  }
}

/** RGBA8 planes of three channels each, as lib/data/image.ts defines them. */
function planesIn({ height, width, channels, data }: Levels): Uint8Array {
  const area = height * width;
  const out = new Uint8Array(4 * area * planesOf(channels));
  for (let i = 0; i < out.length; i++) {
    const [byte, pixel, plane] = [i % 4, (i >> 2) % area, Math.floor((i >> 2) / area)];
    const channel = channels === 1 ? 0 : 3 * plane + byte;
    out[i] = byte === 3 ? 255 : channel < channels ? data[pixel * channels + channel] : 0;
  }
  return out;
}

/**
 * Compares all samples of a case.
 *
 * @param gpu The device.
 * @param test What is compared.
 * @param pictures Number of pictures; those that DINO's views are made of are the slow ones.
 * @param seed Seed of pictures and parameters.
 * @param visit Called with each sample and its exact result.
 */
export async function measure(
  gpu: Gpu,
  test: ErrorCase,
  pictures: number,
  seed: number,
  visit: (sample: Sample, expected: Float32Array) => void = () => {},
): Promise<ErrorRow> {
  const row: ErrorRow = { pictures, values: 0, max: 0, share: 0, mean: 0 };
  for (let first = 0; first < pictures; first += 25) { // few enough tensors at a time
    const length = Math.min(25, pictures - first);
    const samples = Array.from({ length }, (_, i) => sampleOf(test, seed, first + i));
    const found = await foundOf(gpu, samples);
    samples.forEach((sample, s) => {
      const expected = expectedOf(sample);
      visit(sample, expected);
      const area = expected.length / test.channels;
      const floats = sample.ops.at(-1)?.op === "normalize";
      if (found[s].length !== expected.length) throw new Error("results differ in size");
      found[s].forEach((value, i) => {
        const unit = floats ? 255 * AUGMENTATION_DEFAULTS.normalizeStd[Math.floor(i / area)] : 1;
        const error = Math.abs(value - expected[i]) * unit;
        row.max = error <= row.max ? row.max : error; // NaN stays
        row.share += error === 0 ? 0 : 1;
        row.mean += error;
      });
      row.values += expected.length;
    });
  }
  row.share /= row.values;
  row.mean /= row.values;
  return row;
}

/** The limit of a case on an adapter. */
export function limitOf({ limit, fused = limit }: ErrorCase, gpu: Gpu): Limit {
  return gpu.info.isFallbackAdapter ? limit : fused;
}

/** Whether a row is within a limit; NaN is not. */
export function within(row: ErrorRow, limit: Limit): boolean {
  return row.max <= limit.max && row.share <= limit.share;
}
