/**
 * Encoders that read features out of a backbone by a word.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import type { Backbone, Parameters } from "../model.ts";
import type { LastTokens } from "../model/backbone.ts";
import { featureDim, featureParts } from "../model/feature.ts";
import { poolTokens } from "../ops/pool_tokens.ts";
import type { Encoder } from "./encoder.ts";
import { type Readout, readoutDim } from "./readout.ts";

/**
 * Reads one feature out of a backbone: by default the class token after the final norm, which DINO
 * evaluates. Tokens of several of the last blocks go through the final norm each, as in DINO's linear evaluation
 * (`get_intermediate_layers` of facebookresearch/dino), and lie side by side or are averaged.
 *
 * The class token says what is seen; `quad` and `grid` say what lies where. Images of other sizes than the model's are
 * taken as well, H and W multiples of `sizeMultiple`; cells are 2 × 2 and 4 × 4 whatever the number of patches.
 *
 * @param name Shown in tables.
 * @throws {HatchlingError} When the word is unknown, or the model has fewer blocks.
 *
 * @example
 * ```ts
 * import { featureEncoder } from "@hatchling/hatchling/eval";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { initialize, Parameters, VisionTransformer } from "@hatchling/hatchling/model";
 *
 * const gpu = await openGpu();
 * const vit = new VisionTransformer({ imageSize: 40, patchSize: 8, dim: 24, depth: 2, heads: 3 });
 * const params = new Parameters(gpu, vit.specs());
 * params.load(initialize(vit.specs(), 0));
 * const encoder = featureEncoder(gpu, "grid", vit, params, { feature: "grid" });
 * const images = gpu.persistent([2, 3, 40, 40]); // 5 × 5 patches each
 * const { features } = gpu.scope(() => ({ features: encoder.encode(images) }));
 * console.log(features.shape); // [2, 16 · 24]
 * for (const t of [features, images, params]) t.destroy();
 * gpu.destroy();
 * ```
 *
 * @category Evaluation
 */
export function featureEncoder(
  gpu: Gpu,
  name: string,
  backbone: Backbone,
  params: Parameters,
  readout: Readout = { feature: "class" },
): Encoder {
  return featureEncoders(gpu, backbone, params, [{ ...readout, name }])[0];
}

/**
 * As {@linkcode featureEncoder}, several features out of one forward pass: {@linkcode encodePictures} runs it once for
 * all of them.
 *
 * @throws {HatchlingError} When a word is unknown, or the model has fewer blocks.
 */
export function featureEncoders(
  gpu: Gpu,
  backbone: Backbone,
  params: Parameters,
  readouts: readonly (Readout & { name: string })[],
): Encoder[] {
  const { dim, depth, imageSize } = backbone;
  for (const { lastBlocks = 1 } of readouts) {
    if (Number.isInteger(lastBlocks) && lastBlocks >= 1 && lastBlocks <= depth) continue;
    throw new HatchlingError(
      `featureEncoder: expected lastBlocks from 1 to ${depth}, the blocks of the model, but found ${lastBlocks}`,
    );
  }
  for (const { feature } of readouts) {
    if (backbone.hasClass || featureParts(feature).classTokens === 0) continue;
    throw new HatchlingError(
      `featureEncoder: expected a feature of patches, as the model has no class token, but found ${feature}: read ` +
        "mean, quad or grid",
    );
  }
  const wanted = readouts.every(isClass)
    ? 0
    : Math.max(...readouts.map(({ lastBlocks = 1 }) => lastBlocks));
  const pass = (images: Tensor) => backbone.lastTokens(gpu, params, images, wanted);
  return readouts.map(({ name, ...readout }) => {
    const read = (tokens: LastTokens) => readTokens(gpu, backbone, params, tokens, readout);
    return {
      name,
      size: imageSize,
      imageBytes: 4 * Math.max(backbone.largest, readoutDim(readout, dim)),
      encode: (images) => read(pass(images)),
      shared: { pass, read },
    };
  });
}

/** Whether it is the class token of the last block alone. */
function isClass({ feature, lastBlocks = 1 }: Readout): boolean {
  return feature === "class" && lastBlocks === 1;
}

function readTokens(
  gpu: Gpu,
  { prefix, featureNorm }: Backbone,
  params: Parameters,
  { patches, blocks, classes }: LastTokens,
  readout: Readout,
): Tensor {
  if (isClass(readout)) return classes;
  const { feature, lastBlocks = 1, combine = "concat" } = readout;
  const some = blocks.slice(-lastBlocks);
  const [n, , dim] = some[0].shape;
  const width = featureDim(feature, dim);
  // A norm of features comes before their mean.
  const beside = combine === "concat" || !!featureNorm;
  const out = gpu.empty([beside ? n * lastBlocks : n, width], "features");
  some.forEach((tokens, i) => {
    poolTokens(gpu, tokens, patches, feature, {
      out,
      prefix,
      ...beside ? { first: i, stride: lastBlocks } : { scale: 1 / lastBlocks, accumulate: i > 0 },
    });
  });
  if (!featureNorm) return out.view([n, out.size / n]);
  const { y } = featureNorm(gpu, params, out);
  if (combine === "concat" || lastBlocks === 1) return y.view([n, y.size / n]);
  return poolTokens(gpu, y.view([n, lastBlocks, width]), [lastBlocks, 1], "mean", { prefix: 0 });
}
