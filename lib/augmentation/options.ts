/**
 * What DINO's multi-crop augmentation can be told, with its defaults and its limits.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";

/** One number for each kind of view. */
export interface PerView {
  /** For the first global view. */
  global1: number;
  /** For the second global view, and for further ones. */
  global2: number;
  /** For every local view. */
  local: number;
}

/**
 * Strengths and probabilities of the augmentation. Defaults are those of DINO's `main_dino.py`
 * (Caron et al. 2021, "Emerging properties in self-supervised vision transformers").
 */
export interface AugmentationOptions {
  /** Number of global views G ≥ 1. */
  nGlobalCrops: number;
  /** Number of local views L ≥ 0. */
  numLocalViews: number;
  /** Side of a global view in pixels. */
  globalCropSize: number;
  /** Side of a local view in pixels. */
  localCropSize: number;
  /** Area of a global crop as a fraction of its picture, smallest and largest. */
  globalCropScale: [number, number];
  /** Area of a local crop as a fraction of its picture, smallest and largest. */
  localCropScale: [number, number];
  /** Width over height of a crop, smallest and largest; its logarithm is uniform. */
  aspectRatio: [number, number];
  /** Probability of a horizontal flip. */
  horizontalFlipProb: number;
  /** Probability of the four colour operations together. */
  colorJitterProb: number;
  /** Brightness factor is uniform in [max(0, 1 - b), 1 + b]; 0 leaves the operation out. */
  brightness: number;
  /** Contrast factor is uniform in [max(0, 1 - c), 1 + c]; 0 leaves the operation out. */
  contrast: number;
  /** Saturation factor is uniform in [max(0, 1 - s), 1 + s]; 0 leaves the operation out. */
  saturation: number;
  /** Hue shift is uniform in [-h, h] turns, h ≤ 0.5; 0 leaves the operation out. */
  hue: number;
  /** Probability of grayscale. */
  grayscaleProb: number;
  /** Probability of blur, by kind of view. */
  gaussianBlurProb: PerView;
  /** Blur radius in pixels (PIL's `radius`), smallest and largest. */
  gaussianBlurSigma: [number, number];
  /** Probability of solarization, by kind of view. */
  solarizationProb: PerView;
  /** Levels (0 to 255) from this one on are inverted by solarization. */
  solarizationThreshold: number;
  /** Mean of red, green, blue that normalisation subtracts, in units of 255 levels. */
  normalizeMean: [number, number, number];
  /** Standard deviation of red, green, blue that normalisation divides by, in units of 255 levels. */
  normalizeStd: [number, number, number];
}

/** DINO's settings for ImageNet; mean and standard deviation are ImageNet's. */
export const AUGMENTATION_DEFAULTS: Readonly<AugmentationOptions> = {
  nGlobalCrops: 2,
  numLocalViews: 8,
  globalCropSize: 224,
  localCropSize: 96,
  globalCropScale: [0.4, 1],
  localCropScale: [0.05, 0.4],
  aspectRatio: [3 / 4, 4 / 3],
  horizontalFlipProb: 0.5,
  colorJitterProb: 0.8,
  brightness: 0.4,
  contrast: 0.4,
  saturation: 0.2,
  hue: 0.1,
  grayscaleProb: 0.2,
  gaussianBlurProb: { global1: 1, global2: 0.1, local: 0.5 },
  gaussianBlurSigma: [0.1, 2],
  solarizationProb: { global1: 0, global2: 0.2, local: 0 },
  solarizationThreshold: 128,
  normalizeMean: [0.485, 0.456, 0.406],
  normalizeStd: [0.229, 0.224, 0.225],
};

type Key = keyof AugmentationOptions;

/** Lower and upper limit of every number behind a key; both ends are allowed. */
const LIMITS: Record<Key, { min: number; max: number; integer?: true; range?: true }> = {
  nGlobalCrops: { min: 1, max: 1024, integer: true },
  numLocalViews: { min: 0, max: 1024, integer: true },
  globalCropSize: { min: 1, max: 4096, integer: true },
  localCropSize: { min: 1, max: 4096, integer: true },
  globalCropScale: { min: Number.MIN_VALUE, max: 1, range: true },
  localCropScale: { min: Number.MIN_VALUE, max: 1, range: true },
  aspectRatio: { min: 1e-3, max: 1e3, range: true },
  horizontalFlipProb: { min: 0, max: 1 },
  colorJitterProb: { min: 0, max: 1 },
  brightness: { min: 0, max: 1e3 },
  contrast: { min: 0, max: 1e3 },
  saturation: { min: 0, max: 1e3 },
  hue: { min: 0, max: 0.5 },
  grayscaleProb: { min: 0, max: 1 },
  gaussianBlurProb: { min: 0, max: 1 },
  gaussianBlurSigma: { min: 0, max: 1e3, range: true },
  solarizationProb: { min: 0, max: 1 },
  solarizationThreshold: { min: 0, max: 256 },
  normalizeMean: { min: -1e3, max: 1e3 },
  normalizeStd: { min: 1e-6, max: 1e6 },
};

/**
 * Fills in the defaults and checks every value.
 *
 * @param options Any subset of the options.
 * @returns The complete options.
 * @throws {HatchlingError} naming the key, when one is unknown or its value is out of range.
 */
export function augmentationOptions(
  options: Partial<AugmentationOptions> = {},
): AugmentationOptions {
  for (const key of Object.keys(options)) {
    if (!(key in AUGMENTATION_DEFAULTS)) {
      throw new HatchlingError(
        `Unknown augmentation option ${key}: known are ` +
          Object.keys(AUGMENTATION_DEFAULTS).join(", "),
      );
    }
  }
  const full = { ...AUGMENTATION_DEFAULTS, ...options };
  for (const key of Object.keys(AUGMENTATION_DEFAULTS) as Key[]) check(key, full[key]);
  return full;
}

function check(key: Key, value: AugmentationOptions[Key]): void {
  const { min, max, integer, range } = LIMITS[key];
  const fallback = AUGMENTATION_DEFAULTS[key];
  const fields = typeof fallback === "object" ? Object.keys(fallback) : [];
  const numbers: unknown[] = fields.length
    ? fields.map((field) => (value as unknown as Record<string, unknown> | null)?.[field])
    : [value];
  const inside = numbers.every((v) =>
    typeof v === "number" && v >= min && v <= max && (!integer || Number.isInteger(v))
  );
  const ordered = !range || (numbers[0] as number) <= (numbers[1] as number);
  if (inside && ordered) return;
  const kind = integer ? "an integer" : "a number";
  const what = range
    ? `[min, max] with ${min} ≤ min ≤ max ≤ ${max}`
    : `${kind} from ${min} to ${max}` +
      (fields.length ? ` for each of ${fields.join(", ")}` : "");
  throw new HatchlingError(
    `Expected augmentation option ${key} to be ${what} but found ${JSON.stringify(value)}`,
  );
}
