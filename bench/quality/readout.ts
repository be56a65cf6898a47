/**
 * What is judged: features of the recipe's word, as they are and whitened.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { type Encoder, vitEncoder } from "../../lib/eval/encode.ts";
import { type FeatureArray, l2Normalize } from "../../lib/eval/features.ts";
import type { Side, Sides } from "../../lib/eval/sides.ts";
import { fitWhitening, Whitener } from "../../lib/eval/whiten.ts";
import type { Gpu, Tensor } from "../../lib/gpu.ts";
import type { DinoModel, Parameters } from "../../lib/model.ts";
import { poolTokens } from "../../lib/ops/pool_tokens.ts";

/** Reads `evaluation.feature` out of a model. */
export function encoderOf(
  gpu: Gpu,
  name: string,
  { vit }: DinoModel,
  params: Parameters,
  { evaluation: { feature } }: Config,
): Encoder {
  const encoder = vitEncoder(gpu, name, vit, params);
  if (feature === "class") return encoder;
  const { patchSize } = vit.config;
  return {
    ...encoder,
    encode: (images) => {
      const trace = new Map<string, Tensor>();
      vit.forward(gpu, params, [images], { trace, attentionOf: "class" });
      const [rows, cols] = images.shape.slice(2).map((side) => side / patchSize);
      return poolTokens(gpu, trace.get("normed")!, [rows, cols], feature!);
    },
  };
}

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
