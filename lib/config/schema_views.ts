/**
 * Sections of the pictures and their views.
 *
 * @module
 */

import { z } from "./deps.ts";
import { area, count, fraction, key, nonNegative, positive, text, zeroOrMore } from "./kinds.ts";

/** Section `data`. */
export const data = z.strictObject({
  path: key(
    text.nullable(),
    null,
    "Folder of pictures, searched with its sub-folders; null is the built-in emoji set.",
    { aka: ["data_path", "dir", "root"] },
  ),
  dataset: key(
    z.enum(["folder", "emoji"]).nullable(),
    null,
    "Where pictures come from: the folder `data.path`, or the built-in emoji set.",
    { derived: "`folder` when `data.path` is given, else `emoji`", resolved: `"folder" | "emoji"` },
  ),
  batch_size: key(count, 64, "Pictures per step; each gives all of its views.", {
    aka: ["batch_size_per_gpu"],
  }),
  num_workers: key(count, 10, "Threads that read and decode pictures."),
  max_pixels: key(
    count,
    262144,
    "A picture of more pixels is reduced to this many, once, when it is decoded. DINO has no such limit.",
  ),
  cache_bytes: key(
    zeroOrMore,
    536870912,
    "Bytes of decoded pictures (4 per pixel) kept in memory; beyond it they are decoded again. DINO has none.",
  ),
}).meta({ description: "The pictures and how they are read." });

/** Section `augmentation`. */
export const augmentation = z.strictObject({
  n_global_crops: key(count, 2, "Global views per picture; the teacher sees only these."),
  num_local_views: key(zeroOrMore, 8, "Local views per picture; 0 turns multi-crop off.", {
    aka: ["local_crops_number", "n_local_crops", "num_local_crops"],
  }),
  global_crop_size: key(
    count,
    224,
    "Side of a global view in pixels: the image size of the model.",
    {
      aka: ["image_size", "img_size"],
    },
  ),
  local_crop_size: key(count, 96, "Side of a local view in pixels."),
  global_crop_scale_min: key(area, 0.4, "Least area of a global crop, as a share of the picture."),
  global_crop_scale_max: key(area, 1, "Largest area of a global crop, as a share of the picture.", {
    aka: ["global_crops_scale"],
  }),
  local_crop_scale_min: key(area, 0.05, "Least area of a local crop, as a share of the picture."),
  local_crop_scale_max: key(area, 0.4, "Largest area of a local crop, as a share of the picture.", {
    aka: ["local_crops_scale"],
  }),
  aspect_ratio_min: key(positive, 3 / 4, "Least width / height of a crop before it is resized."),
  aspect_ratio_max: key(positive, 4 / 3, "Largest width / height of a crop before it is resized."),
  horizontal_flip_prob: key(fraction, 0.5, "Probability that a view is mirrored left to right."),
  color_jitter_prob: key(
    fraction,
    0.8,
    "Probability that a view's brightness, contrast, saturation and hue are changed, in random order.",
  ),
  brightness: key(nonNegative, 0.4, "b: brightness is multiplied by U(max(0, 1 − b), 1 + b)."),
  contrast: key(nonNegative, 0.4, "c: contrast is multiplied by U(max(0, 1 − c), 1 + c)."),
  saturation: key(nonNegative, 0.2, "s: saturation is multiplied by U(max(0, 1 − s), 1 + s)."),
  hue: key(z.number().min(0).max(0.5), 0.1, "h: hue is turned by U(−h, h) of a full circle."),
  grayscale_prob: key(fraction, 0.2, "Probability that a view loses its colours."),
  gaussian_blur_prob_global_1: key(fraction, 1, "Probability of blur, first global view."),
  gaussian_blur_prob_global_2: key(
    fraction,
    0.1,
    "Probability of blur, every further global view.",
  ),
  gaussian_blur_prob_local: key(fraction, 0.5, "Probability of blur, each local view."),
  gaussian_blur_sigma_min: key(nonNegative, 0.1, "Least standard deviation of the blur in pixels."),
  gaussian_blur_sigma_max: key(nonNegative, 2, "Largest standard deviation of the blur in pixels."),
  solarization_prob_global_1: key(fraction, 0, "Probability of solarization, first global view."),
  solarization_prob: key(fraction, 0.2, "Probability of solarization, every further global view.", {
    aka: ["solarization_prob_global_2"],
  }),
  solarization_prob_local: key(fraction, 0, "Probability of solarization, each local view."),
  solarization_threshold: key(
    z.number().min(0).max(256),
    128,
    "Solarization inverts the channel values from this level (of 0 to 255) on; 256 inverts none.",
  ),
  normalize_mean: key(
    z.tuple([z.number(), z.number(), z.number()]).readonly(),
    [0.485, 0.456, 0.406],
    "Subtracted from red, green and blue (0 to 1) at the end: ImageNet's means.",
  ),
  normalize_std: key(
    z.tuple([positive, positive, positive]).readonly(),
    [0.229, 0.224, 0.225],
    "What red, green and blue are then divided by: ImageNet's standard deviations.",
  ),
}).meta({ description: "DINO's multi-crop views: how each view is cut and coloured." });
