/**
 * Encoded pictures, whitened.
 *
 * @module
 */
import type { EncodedPictures } from "./encode.ts";
import { type FeatureArray, l2Normalize } from "./features.ts";
import type { Whitener } from "./whiten.ts";

/** Whitens the features of pictures and of their views. */
export async function whitenPictures(
  whitener: Whitener,
  { indices, raw: { whole, views } }: EncodedPictures,
): Promise<EncodedPictures> {
  const raw = {
    whole: await whitener.apply(whole),
    views: views && await whitener.apply(views),
  };
  const normalized = ({ data, shape }: FeatureArray): FeatureArray => {
    return { data: l2Normalize(data, shape[1]), shape };
  };
  return { indices, whole: normalized(raw.whole), views: raw.views && normalized(raw.views), raw };
}
