/**
 * What exported files say of themselves, and how pictures get to the model.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { LoadedModel } from "../open_model/load.ts";

/** The key by which a config.json is known as one of this project. */
export const MADE_BY = { exported_by: "Hatchling" } as const;

/** Said where nobody names a licence. */
const NO_LICENSE =
  "not stated: that of the weights it began with, if any, and whatever holds for the pictures it was trained on";

/** What is said of a file. */
export interface Described {
  /** "the backbone", "DINO's head". */
  part: string;
  /** What it is for other software. */
  model: string;
  /** How it is loaded there. */
  load: string;
  /** The licence, as the user words it. */
  license?: string;
}

/** The texts of a file's metadata. */
export function metadataOf(
  { config, name }: Pick<LoadedModel, "config" | "name">,
  { part, model, load, license = NO_LICENSE }: Described,
): Record<string, string> {
  const { normalize_mean, normalize_std, global_crop_size } = config.augmentation;
  return {
    // transformers loads no file without it
    format: "pt",
    description: `${part} of a network trained with Hatchling (${name})`,
    producer: "Hatchling",
    model,
    load,
    image_size: String(global_crop_size),
    mean: JSON.stringify(normalize_mean),
    std: JSON.stringify(normalize_std),
    preprocessing: "the central square, scaled to image_size; (x / 255 - mean) / std per channel",
    feature: config.model.feature,
    license,
  };
}

/** preprocessor_config.json: the shorter side to the model's size, then the central square, as Hatchling does it. */
export function preprocessorConfig({ augmentation, model }: Config): Record<string, unknown> {
  const { normalize_mean, normalize_std, global_crop_size: side } = augmentation;
  return {
    image_processor_type: "BitImageProcessor",
    do_convert_rgb: model.in_chans === 3,
    do_resize: true,
    size: { shortest_edge: side },
    resample: 3,
    do_center_crop: true,
    crop_size: { height: side, width: side },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: normalize_mean,
    image_std: normalize_std,
  };
}
