/**
 * How pictures get to a published model: their size, and the mean and standard deviation they are normalised by.
 *
 * @module
 */
import type { Network } from "../../io/names/networks.ts";
import { gridOf, sourceOf } from "../../io/names/pieces.ts";
import { at, countAt, numbersAt } from "./json.ts";
import type { ModelKeys, Pictures } from "./types.ts";

/** ImageNet's. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
/** From −1 to 1: Google's ViTs, in timm and at Hugging Face. */
const HALF = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** Where nothing else is said: size of ImageNet's crops, and of DINO's local views. */
const USUAL = 224, LOCAL = 96;
/** DINOv2's positions are of pictures this large, for the last steps of its training; it is used at 224. */
const LARGEST = 518;

/** What is known. */
interface Known {
  model: ModelKeys;
  config?: unknown;
  preprocessor?: unknown;
}

/** Pictures as a network takes them. */
export function picturesOf(network: Network, { model, config, preprocessor }: Known): Pictures {
  const patch = model.patch_size ?? 1;
  const asked = sizeIn(preprocessor) ?? numbersAt(config, "pretrained_cfg", "input_size")?.[1];
  const size = asked ?? storedSize(network, patch) ?? countAt(config, "image_size") ?? USUAL;
  const imageSize = Math.max(1, Math.round(size / patch)) * patch;
  return { imageSize, ...momentsOf(network, { model, config, preprocessor }) };
}

/** The side of local views that go with pictures of a size: 96 to 224, as DINO has them, in whole patches. */
export function localOf(imageSize: number, patch = 1): number {
  return Math.max(1, Math.round(imageSize * LOCAL / USUAL / patch)) * patch;
}

/** The side in preprocessor_config.json: of the crop, else of what is resized to. */
function sizeIn(preprocessor: unknown): number | undefined {
  const crop = at(preprocessor, "do_center_crop") === false ? undefined : "crop_size";
  for (const key of [crop, "size"]) {
    if (!key) continue;
    const side = countAt(preprocessor, key) ?? countAt(preprocessor, key, "height") ??
      countAt(preprocessor, key, "shortest_edge");
    if (side !== undefined) return side;
  }
}

/** The side that a position embedding is for. */
function storedSize(network: Network, patch: number): number | undefined {
  const positions = sourceOf(network, "pos_embed")?.shape[1];
  if (positions === undefined) return;
  const grid = gridOf(positions) ?? gridOf(positions - 1);
  if (grid === undefined) return;
  return grid * patch === LARGEST ? USUAL : grid * patch;
}

function momentsOf(
  { layout, tensors, prefix, others }: Network,
  { model, config, preprocessor }: Known,
): Pick<Pictures, "mean" | "std" | "from"> {
  const channels = model.in_chans ?? 3;
  const said: [unknown, string, string[], string[]][] = [
    [preprocessor, "preprocessor_config.json", ["image_mean"], ["image_std"]],
    [config, "config.json", ["pretrained_cfg", "mean"], ["pretrained_cfg", "std"]],
  ];
  for (const [json, from, ofMean, ofStd] of said) {
    const mean = numbersAt(json, ...ofMean), std = numbersAt(json, ...ofStd);
    if (mean?.length === channels && std?.length === channels && std.every((x) => x > 0)) {
      return { mean, std, from: `of ${from}` };
    }
  }
  if (channels !== 3) return { from: "of the configuration" };
  const isGoogle = layout.name === "hf_vit" &&
    (tensors.has("pooler.dense.weight") || prefix === "vit." && others.length > 0);
  return isGoogle ? { ...HALF, from: "of Google's ViTs" } : { ...IMAGENET, from: "ImageNet's" };
}
