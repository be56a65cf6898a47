/**
 * Draws what happens to one view of one picture.
 *
 * @module
 */

import { Rng } from "../rng.ts";
import { cropBox } from "./crop_box.ts";
import type { AugmentOp } from "./ops.ts";
import type { AugmentationOptions } from "./options.ts";

/** Where a view stands in a run, and the size of its picture. */
export interface ViewAddress {
  /** Seed of the run, an integer in [0, 2^53). */
  seed: number;
  /** Epoch, from 0. */
  epoch: number;
  /** Index of the picture in the data set. */
  image: number;
  /** Index of the view: global ones first, from 0. */
  view: number;
  /** Width of the picture in pixels. */
  width: number;
  /** Height of the picture in pixels. */
  height: number;
}

/** Everything that decides one view. */
export interface ViewParameters extends ViewAddress {
  /** Side of the view in pixels. */
  size: number;
  /** The operations in the order in which they are applied. */
  ops: AugmentOp[];
}

/**
 * Draws the operations of one view from `Rng(seed, epoch, image, view)` alone: they do not depend on the
 * batch, its size or its order. Every coin and strength is drawn whether it is used or not, so that a
 * changed probability leaves all else as it was.
 *
 * @param options Complete options.
 * @param address Which view of which picture.
 * @returns A plain object.
 */
export function sampleView(options: AugmentationOptions, address: ViewAddress): ViewParameters {
  const { seed, epoch, image, view, width, height } = address;
  const { channels } = options;
  const global = view < options.nGlobalCrops;
  const of = options.views[!global ? "local" : view === 0 ? "global1" : "global2"];
  const size = global ? options.globalCropSize : options.localCropSize;
  const rng = new Rng(seed, epoch, image, view);
  const blend = (strength: number) => rng.uniform(Math.max(0, 1 - strength), 1 + strength);

  const flip = rng.bernoulli(of.horizontalFlipProb);
  const jitter = rng.bernoulli(of.colorJitterProb);
  const colors: AugmentOp[] = [
    { op: "brightness", factor: blend(of.brightness) },
    { op: "contrast", factor: blend(of.contrast) },
    { op: "saturation", factor: blend(of.saturation) },
    { op: "hue", factor: rng.uniform(-of.hue, of.hue) },
  ];
  const strengths = [of.brightness, of.contrast, of.saturation, of.hue];
  const gray = rng.bernoulli(of.grayscaleProb);
  const blur = rng.bernoulli(of.gaussianBlurProb);
  const sigma = rng.uniform(of.gaussianBlurSigma[0], of.gaussianBlurSigma[1]);
  const solarize = rng.bernoulli(of.solarizationProb);
  const order = rng.permutation(4);
  const box = cropBox(rng, width, height, of.cropScale, of.aspectRatio); // last: its draws vary in number

  const ops: AugmentOp[] = [{ op: "resized_crop", ...box, size }];
  if (flip) ops.push({ op: "hflip" });
  const meant = channels === 3 ? 4 : channels === 1 ? 2 : 1; // the first so many of `colors`
  if (jitter) { for (const i of order) if (i < meant && strengths[i] > 0) ops.push(colors[i]); }
  if (gray && channels === 3) ops.push({ op: "grayscale" });
  if (blur) ops.push({ op: "gaussian_blur", sigma });
  if (solarize) ops.push({ op: "solarize", threshold: of.solarizationThreshold });
  ops.push({ op: "normalize", mean: options.normalizeMean, std: options.normalizeStd });
  return { seed, epoch, image, view, width, height, size, ops };
}
