/**
 * Features that keep place: patch tokens of the cells of a grid, side by side.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import type { Parameters, VisionTransformer } from "../model.ts";
import { featureDim } from "../model/feature.ts";
import { poolTokens } from "../ops/pool_tokens.ts";
import type { Encoder } from "./encode.ts";

/**
 * The patch tokens of a vision transformer after its final norm, averaged over the cells of a grid and laid side by
 * side, cells row by row: [n, 16 · D]. They say what lies where, and so find near-duplicates and pictures
 * of the same layout, where the class token ({@linkcode vitEncoder}) says what is seen.
 *
 * The grid has 4 × 4 cells. They are those of adaptive_avg_pool2d of PyTorch, so any number of patches is cut, 14 × 14
 * too, and where there are fewer some repeat. Images of other sizes than the model's
 * are taken as well, H and W multiples of the patch size.
 *
 * @example
 * ```ts
 * import { patchEncoder } from "@hatchling/hatchling/eval";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { initialize, Parameters, VisionTransformer } from "@hatchling/hatchling/model";
 *
 * const gpu = await openGpu();
 * const vit = new VisionTransformer({ imageSize: 40, patchSize: 8, dim: 24, depth: 2, heads: 3 });
 * const params = new Parameters(gpu, vit.specs());
 * params.load(initialize(vit.specs(), 0));
 * const encoder = patchEncoder(gpu, "patches", vit, params);
 * const images = gpu.persistent([2, 3, 40, 40]); // 5 × 5 patches each
 * const { features } = gpu.scope(() => ({ features: encoder.encode(images) }));
 * console.log(features.shape); // [2, 4 · 4 · 24]
 * for (const t of [features, images, params]) t.destroy();
 * gpu.destroy();
 * ```
 */
export function patchEncoder(
  gpu: Gpu,
  name: string,
  vit: VisionTransformer,
  params: Parameters,
): Encoder {
  const { imageSize, patchSize } = vit.config;
  return {
    name,
    size: imageSize,
    imageBytes: 4 * Math.max(vit.largest, featureDim("grid", vit.config.dim)),
    encode: (images) => {
      const trace = new Map<string, Tensor>();
      vit.forward(gpu, params, [images], { trace, attentionOf: "class" });
      const [rows, cols] = images.shape.slice(2).map((side) => side / patchSize);
      return poolTokens(gpu, trace.get("normed")!, [rows, cols], "grid");
    },
  };
}
