/**
 * What is judged, whitened.
 *
 * @module
 */
import { type FeatureArray, l2Normalize } from "../../lib/eval/features.ts";
import type { Side, Sides } from "../../lib/eval/sides.ts";
import { fitWhitening, Whitener } from "../../lib/eval/whiten.ts";
import type { Gpu } from "../../lib/gpu.ts";

/** All features by the whitening of the gallery's, with shrinkage `alpha`. */
export async function whitenSides(
  gpu: Gpu,
  { gallery, test }: Sides,
  alpha: number,
): Promise<Sides> {
  const whitener = new Whitener(gpu, fitWhitening(gallery.encoded.raw.whole, { alpha }));
  const whiten = async ({ dataset, encoded: { indices, raw } }: Side): Promise<Side> => {
    const whole = await whitener.apply(raw.whole);
    const views = raw.views && await whitener.apply(raw.views);
    const encoded = { indices, whole: unit(whole), views: views && unit(views) };
    return { dataset, encoded: { ...encoded, raw: { whole, views } } };
  };
  try {
    return { gallery: await whiten(gallery), test: test && await whiten(test) };
  } finally {
    whitener.destroy();
  }
}

/** Rows of length 1. */
export function unit({ data, shape }: FeatureArray): FeatureArray {
  return { data: l2Normalize(data, shape[1]), shape };
}
