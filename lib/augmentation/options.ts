/**
 * What DINO's multi-crop augmentation can be told, with its defaults and its limits.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";

/** How one kind of view is cut and coloured. */
export interface ViewOptions {
  /** Area of a crop as a fraction of its picture, smallest and largest. */
  cropScale: [number, number];
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
  /** Probability of blur. */
  gaussianBlurProb: number;
  /** Blur radius in pixels (PIL's `radius`), smallest and largest. */
  gaussianBlurSigma: [number, number];
  /** Probability of solarization. */
  solarizationProb: number;
  /** Levels (0 to 255) from this one on are inverted by solarization. */
  solarizationThreshold: number;
}

/** Kinds of views: the first global one, every further global one, and the local ones. */
export type ViewKind = "global1" | "global2" | "local";

/** What holds for all views together. */
export interface BatchOptions {
  /** Number of global views G ≥ 1. */
  nGlobalCrops: number;
  /** Number of local views L ≥ 0. */
  numLocalViews: number;
  /** Side of a global view in pixels. */
  globalCropSize: number;
  /** Side of a local view in pixels. */
  localCropSize: number;
  /**
   * Channels C of the pictures. With 1 (gray) saturation, hue and grayscale are left out, with any other
   * number but 3 contrast too, as all of them speak of colours; brightness, blur and solarization work on
   * every channel by itself.
   */
  channels: number;
  /** Mean per channel that normalisation subtracts, in units of 255 levels: C numbers. */
  normalizeMean: number[];
  /** Standard deviation per channel that normalisation divides by, in units of 255 levels: C numbers. */
  normalizeStd: number[];
}

/**
 * Strengths and probabilities of the augmentation. Defaults are those of DINO's `main_dino.py`
 * (Caron et al. 2021, "Emerging properties in self-supervised vision transformers").
 *
 * @category Data
 */
export interface AugmentationOptions extends BatchOptions {
  /** Settings of every kind of view. */
  views: Record<ViewKind, ViewOptions>;
}

/**
 * Any subset of the options. A view's option that stands beside `views` is meant for every kind of view that
 * does not set its own.
 */
export interface AugmentationInput extends Partial<BatchOptions>, Partial<ViewOptions> {
  /** Settings of single kinds of views. */
  views?: Partial<Record<ViewKind, Partial<ViewOptions>>>;
}

const GLOBAL_1: ViewOptions = {
  cropScale: [0.4, 1],
  aspectRatio: [3 / 4, 4 / 3],
  horizontalFlipProb: 0.5,
  colorJitterProb: 0.8,
  brightness: 0.4,
  contrast: 0.4,
  saturation: 0.2,
  hue: 0.1,
  grayscaleProb: 0.2,
  gaussianBlurProb: 1,
  gaussianBlurSigma: [0.1, 2],
  solarizationProb: 0,
  solarizationThreshold: 128,
};

/** DINO's settings for ImageNet; mean and standard deviation are ImageNet's. */
export const AUGMENTATION_DEFAULTS: Readonly<AugmentationOptions> = {
  nGlobalCrops: 2,
  numLocalViews: 8,
  globalCropSize: 224,
  localCropSize: 96,
  channels: 3,
  normalizeMean: [0.485, 0.456, 0.406],
  normalizeStd: [0.229, 0.224, 0.225],
  views: {
    global1: GLOBAL_1,
    global2: { ...GLOBAL_1, gaussianBlurProb: 0.1, solarizationProb: 0.2 },
    local: { ...GLOBAL_1, cropScale: [0.05, 0.4], gaussianBlurProb: 0.5 },
  },
};

/** Limits of every number behind a key, both allowed; `pair` is [min, max], `list` one per channel. */
interface Limit {
  min: number;
  max: number;
  integer?: true;
  pair?: true;
  list?: true;
}

const BATCH_LIMITS: Record<keyof BatchOptions, Limit> = {
  nGlobalCrops: { min: 1, max: 1024, integer: true },
  numLocalViews: { min: 0, max: 1024, integer: true },
  globalCropSize: { min: 1, max: 4096, integer: true },
  localCropSize: { min: 1, max: 4096, integer: true },
  channels: { min: 1, max: 1024, integer: true },
  normalizeMean: { min: -1e3, max: 1e3, list: true },
  normalizeStd: { min: 1e-6, max: 1e6, list: true },
};

const VIEW_LIMITS: Record<keyof ViewOptions, Limit> = {
  cropScale: { min: Number.MIN_VALUE, max: 1, pair: true },
  aspectRatio: { min: 1e-3, max: 1e3, pair: true },
  horizontalFlipProb: { min: 0, max: 1 },
  colorJitterProb: { min: 0, max: 1 },
  brightness: { min: 0, max: 1e3 },
  contrast: { min: 0, max: 1e3 },
  saturation: { min: 0, max: 1e3 },
  hue: { min: 0, max: 0.5 },
  grayscaleProb: { min: 0, max: 1 },
  gaussianBlurProb: { min: 0, max: 1 },
  gaussianBlurSigma: { min: 0, max: 1e3, pair: true },
  solarizationProb: { min: 0, max: 1 },
  solarizationThreshold: { min: 0, max: 256 },
};

const KINDS = Object.keys(AUGMENTATION_DEFAULTS.views) as ViewKind[];

/**
 * Fills in the defaults and checks every value. Without `normalizeMean` and `normalizeStd`, gray pictures get
 * the mean of ImageNet's three, and other channel counts 0.5 and 0.25 for each channel.
 *
 * @param options Any subset of the options; what it returns is one too.
 * @returns The complete options.
 * @throws {HatchlingError} naming the key, when one is unknown or its value is out of range.
 */
export function augmentationOptions(options: AugmentationInput = {}): AugmentationOptions {
  const { views = {}, ...rest } = options;
  known(rest, { ...BATCH_LIMITS, ...VIEW_LIMITS }, "");
  known(views, AUGMENTATION_DEFAULTS.views, "views.");
  const pick = (limits: Record<string, Limit>) =>
    Object.fromEntries(Object.entries(rest).filter(([key]) => key in limits));
  const { views: defaults, ...batchDefaults } = AUGMENTATION_DEFAULTS;
  const batch: BatchOptions = { ...batchDefaults, ...pick(BATCH_LIMITS) };
  check("channels", batch.channels, BATCH_LIMITS.channels);
  const [mean, std] = normalizationOf(batch.channels);
  batch.normalizeMean = rest.normalizeMean ?? mean;
  batch.normalizeStd = rest.normalizeStd ?? std;
  for (const key of Object.keys(BATCH_LIMITS) as (keyof BatchOptions)[]) {
    check(key, batch[key], BATCH_LIMITS[key], batch.channels);
  }
  const shared = pick(VIEW_LIMITS);
  const full = KINDS.map((kind): [ViewKind, ViewOptions] => {
    const own = views[kind] ?? {};
    known(own, VIEW_LIMITS, `views.${kind}.`);
    const view = { ...defaults[kind], ...shared, ...own };
    for (const key of Object.keys(VIEW_LIMITS) as (keyof ViewOptions)[]) {
      check(key in own ? `views.${kind}.${key}` : key, view[key], VIEW_LIMITS[key]);
    }
    return [kind, view];
  });
  return { ...batch, views: Object.fromEntries(full) as Record<ViewKind, ViewOptions> };
}

/** Mean and standard deviation where none are given: ImageNet's, as far as they say anything. */
export function normalizationOf(channels: number): [number[], number[]] {
  const { normalizeMean: mean, normalizeStd: std } = AUGMENTATION_DEFAULTS;
  if (channels === 3) return [mean, std];
  return channels === 1
    ? [[0.449], [0.226]]
    : [new Array(channels).fill(0.5), new Array(channels).fill(0.25)];
}

function known(given: object, allowed: object, prefix: string): void {
  for (const key of Object.keys(given)) {
    if (!(key in allowed)) {
      throw new HatchlingError(
        `Unknown augmentation option ${prefix}${key}: known are ${
          Object.keys(allowed).map((name) => prefix + name).join(", ")
        }`,
      );
    }
  }
}

function check(name: string, value: unknown, limit: Limit, channels = 0): void {
  const { min, max, integer, pair, list } = limit;
  const length = pair ? 2 : list ? channels : 0;
  const numbers = length
    ? (Array.isArray(value) && value.length === length ? value : [NaN])
    : [value];
  const inside = numbers.every((v) =>
    typeof v === "number" && v >= min && v <= max && (!integer || Number.isInteger(v))
  );
  if (inside && (!pair || numbers[0] <= numbers[1])) return;
  const what = pair
    ? `[min, max] with ${min} ≤ min ≤ max ≤ ${max}`
    : list
    ? `${channels} numbers, one per channel, from ${min} to ${max}`
    : `${integer ? "an integer" : "a number"} from ${min} to ${max}`;
  throw new HatchlingError(
    `Expected augmentation option ${name} to be ${what} but found ${JSON.stringify(value)}`,
  );
}
