/**
 * Golden cases `aug_*` and `cropstats_*`: augmentation against PIL and torchvision.
 *
 * @module
 */

import { applyOps, type AugmentOp, cropBox } from "../../../lib/augmentation.ts";
import { HatchlingError } from "../../../lib/errors.ts";
import type { Gpu, Tensor } from "../../../lib/gpu.ts";
import { Rng } from "../../../lib/rng.ts";

/** One comparison of a golden case. */
export interface GoldenResult {
  /** What was compared. */
  what: string;
  /** Largest error over its tolerance; above 1 fails, and so does NaN. */
  ratio: number;
}

/** A tensor of a fixture. */
export interface GoldenTensor {
  /** Dimensions, outermost first. */
  shape: number[];
  /** F32, I32 or U8. */
  dtype: string;
  /** Row-major elements. */
  data: Float32Array | Int32Array | Uint8Array;
}

/** A fixture's JSON file. */
export interface GoldenDoc {
  /** Name of the case. */
  name: string;
  /** What defines the case. */
  // deno-lint-ignore no-explicit-any -- every kind of case has its own configuration
  config: any;
  /** Expected scalars. */
  expected?: unknown;
}

const STD = [0.229, 0.224, 0.225];

/** Limits of the difference, in levels of 255. */
interface Tolerance {
  max: number;
  mean: number;
}

/**
 * The README's figures for float implementations. Those that it does not list (flip, grayscale, solarize,
 * a crop that keeps its size) have no room for rounding: equal.
 */
function opTolerance(op: AugmentOp): Tolerance {
  switch (op.op) {
    case "resized_crop": {
      const same = op.width === op.size && op.height === op.size;
      return same ? { max: 0, mean: 0 } : { max: 15, mean: 0.4 };
    }
    case "brightness":
    case "contrast":
    case "saturation":
      return { max: 1.2, mean: 0.6 };
    case "hue":
      return { max: 13, mean: 1.7 };
    case "gaussian_blur":
      return { max: 3, mean: 1 };
    default:
      return { max: 0, mean: 0 };
  }
}

/**
 * A list of operations gets the largest of its operations' tolerances, not their sum. Errors of
 * successive operations can add up, so this is stricter than the single figures imply; it can be met
 * because every stage is rounded to the same whole levels as in PIL.
 */
function tolerance(ops: AugmentOp[]): Tolerance {
  const each = ops.map(opTolerance);
  return {
    max: Math.max(...each.map((t) => t.max)),
    mean: Math.max(...each.map((t) => t.mean)),
  };
}

/** `error / limit`, where a limit of 0 asks for equality. */
function over(error: number, limit: number): number {
  return error === 0 ? 0 : limit === 0 ? (error > 0 ? Infinity : NaN) : error / limit;
}

/** Largest and mean difference in levels between `[3, H, W]` floats and a fixture. */
function levelDifference(
  found: Float32Array,
  expected: GoldenTensor,
): { max: number; mean: number } {
  const u8 = expected.dtype === "U8"; // [H, W, 3] levels, otherwise [3, H, W] normalised
  const area = expected.data.length / 3;
  if (found.length !== expected.data.length) return { max: NaN, mean: NaN };
  let [max, sum] = [0, 0];
  found.forEach((value, i) => {
    const [c, p] = [Math.floor(i / area), i % area];
    const scale = u8 ? 1 : 255 * STD[c];
    const difference = Math.abs(value - expected.data[u8 ? 3 * p + c : i]) * scale;
    max = difference > max || Number.isNaN(difference) ? difference : max;
    sum += difference;
  });
  return { max: Number.isNaN(sum) ? NaN : max, mean: sum / found.length };
}

/**
 * Runs every item of an `aug_*` case through the training kernels.
 *
 * @param gpu The device.
 * @param doc The case's JSON.
 * @param tensors The case's tensors by name.
 * @returns One result per expected tensor.
 */
export async function runAug(
  gpu: Gpu,
  doc: GoldenDoc,
  tensors: Map<string, GoldenTensor>,
): Promise<GoldenResult[]> {
  const fixture = (name: string): GoldenTensor => {
    const found = tensors.get(name);
    if (!found) throw new HatchlingError(`Expected tensor ${name} in case ${doc.name}`);
    return found;
  };
  const image = fixture("in.image");
  const [height, width] = image.shape;
  const rgb = image.data;
  const packed = Uint32Array.from(
    { length: height * width },
    (_, i) => (rgb[3 * i] | rgb[3 * i + 1] << 8 | rgb[3 * i + 2] << 16 | 255 << 24) >>> 0,
  );
  const runs: { what: string; ops: AugmentOp[]; expected: GoldenTensor }[] = [];
  for (const [id, ops] of Object.entries(doc.config.items as Record<string, AugmentOp[]>)) {
    runs.push({ what: `out.${id}`, ops, expected: fixture(`out.${id}`) });
    const before = tensors.get(`out.${id}.u8`);
    if (before) runs.push({ what: `out.${id}.u8`, ops: ops.slice(0, -1), expected: before });
  }

  const pixels = gpu.tensor(packed, [packed.length]);
  const table = gpu.tensor(Uint32Array.of(0, width, height, 0), [1, 4]);
  const made: Tensor[] = [];
  try {
    for (const { ops } of runs) made.push(applyOps(gpu, pixels, table, [{ width, height, ops }]));
    const values = await gpu.read(made);
    return runs.map(({ what, ops, expected }, i) => {
      const limit = tolerance(ops);
      const { max, mean } = levelDifference(values[i], expected);
      if (limit.max === 0 && expected.dtype === "F32") { // exact up to normalize: 2e-6, normalised
        const largest = values[i].reduce(
          (m, v, j) => Math.max(m, Math.abs(v - expected.data[j])),
          0,
        );
        return { what, ratio: over(largest, 2e-6) };
      }
      const text = `${what} (max ${max.toFixed(2)}, mean ${mean.toFixed(3)} levels)`;
      return { what: text, ratio: Math.max(over(max, limit.max), over(mean, limit.mean)) };
    });
  } finally {
    for (const tensor of [pixels, table, ...made]) tensor.destroy();
  }
}

/**
 * Draws as many boxes as a `cropstats_*` case and compares mean and standard deviation of every column.
 *
 * @param doc The case's JSON.
 * @returns One result per column and statistic, over 5 · std / √draws.
 */
export function runCropstats(doc: GoldenDoc): GoldenResult[] {
  const { width, height, scale, draws, seed } = doc.config;
  const columns: Record<string, number[]> = {
    top: [],
    left: [],
    height: [],
    width: [],
    area_fraction: [],
    aspect: [],
  };
  for (let i = 0; i < draws; i++) {
    const box = cropBox(new Rng(seed, i), width, height, scale, [3 / 4, 4 / 3]);
    for (const key of ["top", "left", "height", "width"] as const) columns[key].push(box[key]);
    columns.area_fraction.push(box.height * box.width / (width * height));
    columns.aspect.push(box.width / box.height);
  }
  const expected = doc.expected as Record<string, { mean: number; std: number }>;
  return Object.entries(expected).flatMap(([key, { mean, std }]) => {
    const values = columns[key];
    const average = values.reduce((a, v) => a + v, 0) / draws;
    const variance = values.reduce((a, v) => a + (v - average) ** 2, 0) / draws;
    const limit = 5 * std / Math.sqrt(draws);
    return [
      { what: `${key} mean`, ratio: Math.abs(average - mean) / limit },
      { what: `${key} std`, ratio: Math.abs(Math.sqrt(variance) - std) / limit },
    ];
  });
}
