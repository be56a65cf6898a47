/**
 * What is compared, and what may differ.
 *
 * @module
 */
import {
  type AugmentationInput,
  augmentationOptions,
  type AugmentOp,
  cropBox,
  sampleView,
} from "../../lib/augmentation.ts";
import type { Rng } from "../../lib/rng.ts";

/** Limits of the difference from exact arithmetic; 0 and 0 are equal bytes. */
export interface Limit {
  /** Largest difference in levels of 255. */
  max: number;
  /** Share of the values that may differ at all. */
  share: number;
}

/** One row of the table. */
export interface ErrorCase {
  /** Operation. */
  name: string;
  /** Where its parameters come from. */
  range: string;
  /** Channels C of the pictures. */
  channels: number;
  /** Least and largest side of a picture in pixels. */
  sides: [number, number];
  /** Operations for a picture; `n` counts pictures. */
  ops: (rng: Rng, height: number, width: number, n: number) => AugmentOp[];
  /** What may differ. */
  limit: Limit;
  /** What may differ on adapters that fuse multiply and add, if more: all but software ones may. */
  fused?: Limit;
}

const EQUAL: Limit = { max: 0, share: 0 };
const SIDES: [number, number] = [1, 96];

/** A case of one operation whose number is uniform in a range. */
function ranged(
  name: "brightness" | "contrast" | "saturation" | "hue" | "gaussian_blur",
  [from, to]: [number, number],
  range: string,
  limit: Limit,
  channels = 3,
): ErrorCase {
  const ops = (rng: Rng): AugmentOp[] => {
    const value = rng.uniform(from, to);
    return [name === "gaussian_blur" ? { op: name, sigma: value } : { op: name, factor: value }];
  };
  return { name, range, channels, sides: SIDES, ops, limit };
}

/** A case of one operation without a number, or with one of `list`. */
function listed(name: string, range: string, list: AugmentOp[], limit: Limit): ErrorCase {
  return {
    name,
    range,
    channels: 3,
    sides: SIDES,
    ops: (_rng, _height, _width, n) => [list[n % list.length]],
    limit,
  };
}

type Box = { height: number; width: number; size: number };

/** A case of crops whose size the given function draws. */
function crops(
  range: string,
  draw: (rng: Rng, height: number, width: number) => Box,
  limit: Limit,
  sides = SIDES,
): ErrorCase {
  const ops = (rng: Rng, height: number, width: number): AugmentOp[] => {
    const box = draw(rng, height, width);
    const top = rng.int(height - box.height + 1), left = rng.int(width - box.width + 1);
    return [{ op: "resized_crop", top, left, ...box }];
  };
  return { name: "resized_crop", range, channels: 3, sides, ops, limit };
}

/** Whole views as DINO draws them, before normalize. */
function views(
  range: string,
  view: number,
  input: AugmentationInput,
  limit: Limit,
  sides: [number, number] = [64, 320],
): ErrorCase {
  const options = augmentationOptions(input);
  const ops = (rng: Rng, height: number, width: number, image: number): AugmentOp[] => {
    const address = { seed: rng.u32(), epoch: 0, image, view, width, height };
    return sampleView(options, address).ops.filter(({ op }) => op !== "normalize");
  };
  return { name: "whole view", range, channels: options.channels, sides, ops, limit };
}

/** Weights are singles here and have 22 bits in PIL: sums that end near a half may round the other way. */
const CROP: Limit = { max: 2, share: 2e-3 };
/** Where multiply and add are fused: a blend that ends next to a whole level may be truncated to the one below. */
const BLEND: Limit = { max: 1, share: 2e-4 };
/** Hue amplifies: a colour one level off may fall into the next of 256 hues. */
const VIEW: Limit = { max: 16, share: 2e-3 };

/** All rows. */
export const CASES: readonly ErrorCase[] = [
  crops(
    "as DINO draws globals",
    (rng, height, width) => ({
      ...sizeOf(cropBox(rng, width, height, [0.4, 1], [3 / 4, 4 / 3])),
      size: 224,
    }),
    CROP,
    [64, 320],
  ),
  crops(
    "as DINO draws locals",
    (rng, height, width) => ({
      ...sizeOf(cropBox(rng, width, height, [0.05, 0.4], [3 / 4, 4 / 3])),
      size: 96,
    }),
    CROP,
    [64, 320],
  ),
  crops(
    "shrinking 1 to 30 times",
    (rng, height, width) => ({
      height: height - rng.int(Math.ceil(height / 4)),
      width: width - rng.int(Math.ceil(width / 4)),
      size: Math.max(1, Math.floor(Math.min(height, width) / rng.uniform(1.3, 30))),
    }),
    CROP,
    [32, 256],
  ),
  crops("growing 1 to 30 times", (rng, height, width) => {
    const side = 1 + rng.int(Math.min(height, width, 16));
    return { height: side, width: side, size: Math.ceil(side * rng.uniform(1, 30)) };
  }, CROP),
  crops(
    "one or two pixels high or wide",
    (rng, height, width) => {
      const thin = 1 + rng.int(2), size = 1 + rng.int(64);
      return rng.bernoulli(0.5) ? { height: thin, width, size } : { height, width: thin, size };
    },
    CROP,
    [2, 256],
  ),
  crops("of its own size", (rng, height, width) => {
    const size = 1 + rng.int(Math.min(height, width));
    return { height: size, width: size, size };
  }, EQUAL),
  listed("hflip", "", [{ op: "hflip" }], EQUAL),
  ranged("brightness", [0.6, 1.4], "U(0.6, 1.4)", EQUAL),
  ranged("brightness", [0, 4], "U(0, 4)", EQUAL),
  { ...ranged("contrast", [0.6, 1.4], "U(0.6, 1.4)", EQUAL), fused: BLEND },
  { ...ranged("contrast", [0, 4], "U(0, 4)", EQUAL), fused: BLEND },
  { ...ranged("saturation", [0.8, 1.2], "U(0.8, 1.2)", EQUAL), fused: BLEND },
  { ...ranged("saturation", [0, 4], "U(0, 4)", EQUAL), fused: BLEND },
  listed(
    "blends",
    "0, 1, 0.5, 2",
    (["brightness", "contrast", "saturation"] as const).flatMap((op) =>
      [0, 1, 0.5, 2].map((factor) => ({ op, factor }))
    ),
    EQUAL,
  ),
  ranged("hue", [-0.1, 0.1], "U(−0.1, 0.1)", EQUAL),
  ranged("hue", [-0.5, 0.5], "U(−0.5, 0.5)", EQUAL),
  listed("grayscale", "", [{ op: "grayscale" }], EQUAL),
  ranged("gaussian_blur", [0.1, 2], "U(0.1, 2)", EQUAL),
  ranged("gaussian_blur", [0, 20], "U(0, 20)", EQUAL),
  listed(
    "gaussian_blur",
    "0.5, 1, 1.4, 2",
    [0.5, 1, 1.4, 2].map((sigma) => ({ op: "gaussian_blur", sigma })),
    EQUAL,
  ),
  listed(
    "solarize",
    "128, 0, 1, 255, 256",
    [128, 0, 1, 255, 256].map((threshold) => ({ op: "solarize", threshold })),
    EQUAL,
  ),
  listed("normalize", "ImageNet's", [{ op: "normalize" }], { max: 1e-4, share: 1 }),
  views("first global, 224", 0, {}, VIEW),
  views("second global, 224", 1, {}, VIEW),
  views("local, 96", 2, {}, VIEW),
  views("local, 16 of 32-pixel pictures", 2, { localCropSize: 16 }, VIEW, [32, 32]),
  views("gray, first global", 0, { channels: 1, globalCropSize: 64 }, VIEW),
  views("6 channels, first global", 0, { channels: 6, globalCropSize: 64 }, VIEW),
];

function sizeOf({ height, width }: { height: number; width: number }) {
  return { height, width };
}
