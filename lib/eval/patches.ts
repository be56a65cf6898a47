/**
 * Features that keep place: patch tokens of the cells of a grid, side by side.
 *
 * @module
 */
import poolCode from "../../kernels/pool_patches.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu.ts";
import type { Parameters, VisionTransformer } from "../model.ts";
import type { Encoder } from "./encode.ts";

const POOL = defineKernel("pool_patches", poolCode);

/** Most cells down and across. */
const SIDE = 4;

/**
 * The patch tokens of a vision transformer after its final norm, averaged over the cells of a grid and laid side by
 * side, cells row by row: [n, down · across · D]. They say what lies where, and so find near-duplicates and pictures
 * of the same layout, where the class token ({@linkcode vitEncoder}) says what is seen.
 *
 * The grid has at most 4 × 4 cells, and one for each patch where there are fewer. Cells are those of
 * adaptive_avg_pool2d of PyTorch, so any number of patches is cut, 14 × 14 too. Images of other sizes than the model's
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
    imageBytes: 4 * vit.largest,
    encode: (images) => {
      const trace = new Map<string, Tensor>();
      vit.forward(gpu, params, [images], { trace, attentionOf: "class" });
      const [rows, cols] = images.shape.slice(2).map((side) => side / patchSize);
      const cells: [number, number] = [Math.min(SIDE, rows), Math.min(SIDE, cols)];
      const pooled = poolPatches(gpu, trace.get("normed")!, [rows, cols], cells);
      return pooled.view([images.shape[0], pooled.size / images.shape[0]]);
    },
  };
}

/**
 * Means over the cells of a grid: tokens [n, 1 + rows · cols, D], the class token first and left out, → [n, down ·
 * across, D]. Of c cells along m patches, cell i covers ⌊i · m / c⌋ to ⌈(i + 1) · m / c⌉, as adaptive_avg_pool2d.
 *
 * @throws {HatchlingError} When the tokens are no such grid, or cells no whole numbers from 1 on.
 */
export function poolPatches(
  gpu: Gpu,
  tokens: Tensor,
  [rows, cols]: readonly [rows: number, cols: number],
  [down, across]: readonly [down: number, across: number],
): Tensor {
  const [n, count, dim] = tokens.shape;
  if (tokens.shape.length !== 3 || count !== 1 + rows * cols) {
    throw new HatchlingError(
      `poolPatches: expected tokens [n, 1 + ${rows} · ${cols}, D] but found ${tokens}`,
    );
  }
  if (![down, across].every((cells) => Number.isInteger(cells) && cells >= 1)) {
    throw new HatchlingError(
      `poolPatches: expected at least 1 × 1 whole cells but found ${down} × ${across}`,
    );
  }
  const out = gpu.empty([n, down * across, dim], "pool_patches");
  gpu.dispatch(POOL, {
    bindings: { tokens, out },
    params: { n: out.size, dim, rows, cols, down, across },
    workgroups: grid(out.size, 64),
    flops: tokens.size,
  });
  return out;
}
