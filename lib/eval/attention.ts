/**
 * Where the class token looks, and what patches are like: what a vision transformer sees in an image.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import type { Parameters, VisionTransformer } from "../model.ts";

/**
 * What {@linkcode lookAt} finds in images of one size.
 *
 * @category Evaluation
 */
export interface Looked {
  /** Patches down and across. */
  grid: [rows: number, columns: number];
  /** Class tokens after the final norm, [n, D]; without a class token, means of the patch tokens. */
  features: Float32Array;
  /** Patch tokens after the final norm where that is of tokens, [n, rows · columns, D]. */
  patches: Float32Array;
  /**
   * Probabilities with which the class token of the last block attends, [n, heads, 1 + rows · columns], to itself
   * first: each row sums to 1, but for what goes to registers, which are left out. Empty without a class token.
   *
   * With `of: "all"` those of every token, [n, heads, T, T], the class token first where there is one: T is
   * rows · columns, and 1 more with a class token.
   */
  attention: Float32Array;
}

/** Options of {@linkcode lookAt}. */
export interface LookOptions {
  /** Whose attention: the class token's, the default, or that of all tokens, which takes T times the memory. */
  of?: "class" | "all";
}

/**
 * Runs the backbone and keeps what pictures are made of: the class token's attention in the last block (Caron et al.
 * 2021, figure 1) and the patch tokens. The position embedding is interpolated to the grid of the images.
 *
 * @param images [n, C, H, W], normalised as in training; H and W any multiples of the patch size.
 * @throws {HatchlingError} When sizes do not fit the model, or what comes out is not finite.
 *
 * @example
 * ```ts
 * import { lookAt } from "@hatchling/hatchling/eval";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { initialize, Parameters, VisionTransformer } from "@hatchling/hatchling/model";
 *
 * const gpu = await openGpu();
 * const vit = new VisionTransformer({ imageSize: 32, patchSize: 8, dim: 24, depth: 2, heads: 3 });
 * const params = new Parameters(gpu, vit.specs());
 * params.load(initialize(vit.specs(), 0));
 * const images = gpu.persistent([1, 3, 48, 32]); // 6 × 4 patches, from a model of 4 × 4
 * const { grid, attention } = await lookAt(gpu, vit, params, images);
 * console.log(grid, attention.length); // [6, 4], 3 heads of 25 tokens
 * for (const t of [images, params]) t.destroy();
 * gpu.destroy();
 * ```
 *
 * @category Evaluation
 */
export async function lookAt(
  gpu: Gpu,
  vit: VisionTransformer,
  params: Parameters,
  images: Tensor,
  { of = "class" }: LookOptions = {},
): Promise<Looked> {
  const { patchSize, dim } = vit.config;
  const kept = gpu.scope(() => {
    const trace = new Map<string, Tensor>();
    const { y } = vit.forward(gpu, params, [images], { trace, attentionOf: of });
    return { y, tokens: trace.get("normed")!, attention: trace.get("attention")! };
  });
  const [features, tokens, attention] = await gpu.read(Object.values(kept));
  for (const tensor of Object.values(kept)) tensor.destroy();
  if (!features.every(Number.isFinite) || !tokens.every(Number.isFinite)) {
    throw new HatchlingError(
      "Expected finite features but found others: the weights are damaged or training diverged, take an earlier checkpoint",
    );
  }
  const [, , height, width] = images.shape;
  const grid: [number, number] = [height / patchSize, width / patchSize];
  const count = grid[0] * grid[1], { prefix } = vit;
  return {
    grid,
    features,
    patches: without(tokens, (prefix + count) * dim, 0, prefix * dim),
    attention: of === "class" && !vit.hasClass
      ? new Float32Array(0)
      : withoutRegisters(attention, prefix + count, { of, from: Number(vit.hasClass), prefix }),
  };
}

/** Where the class token of the last block looks in the first image: the mean over heads, then each head, a number a patch. */
export function attentionMaps(
  { grid, attention }: Pick<Looked, "attention" | "grid">,
  heads: number,
): Float64Array[] {
  const tokens = 1 + grid[0] * grid[1];
  const maps = Array.from(
    { length: heads },
    (_, h) => Float64Array.from(attention.subarray(h * tokens + 1, (h + 1) * tokens)),
  );
  return [maps[0].map((_, i) => maps.reduce((sum, map) => sum + map[i] / heads, 0)), ...maps];
}

/** Attention without registers, which lie from `from` to before `prefix`; of all tokens both ways. */
function withoutRegisters(
  attention: Float32Array,
  tokens: number,
  { of, from, prefix }: { of: "class" | "all"; from: number; prefix: number },
): Float32Array {
  const kept = without(attention, tokens, from, prefix);
  if (of === "class") return kept;
  const width = tokens - (prefix - from);
  return without(kept, tokens * width, from * width, prefix * width);
}

/** Rows of a length, less the columns from one to before another. */
function without(values: Float32Array, length: number, from: number, end: number): Float32Array {
  if (from === end) return values;
  const kept = length - (end - from), rows = values.length / length;
  const out = new Float32Array(rows * kept);
  for (let r = 0; r < rows; r++) {
    out.set(values.subarray(r * length, r * length + from), r * kept);
    out.set(values.subarray(r * length + end, (r + 1) * length), r * kept + from);
  }
  return out;
}

/**
 * The fewest patches that together hold `mass` of the attention to all patches (Caron et al. 2021, figure 3, as
 * facebookresearch/dino draws it): the most attended first, of equal ones the later.
 *
 * @param attention To each patch, ≥ 0; need not sum to 1.
 * @param mass Share to keep, in (0, 1].
 * @returns 1 for patches that are kept, else 0.
 * @throws {HatchlingError} When the share is out of its range or the attention is not finite.
 *
 * @example
 * ```ts
 * import { attentionMask } from "@hatchling/hatchling/eval";
 *
 * console.log(attentionMask([0.1, 0.5, 0.1, 0.3], 0.6)); // 0, 1, 0, 1: the 0.5 alone is less than 0.6
 * ```
 *
 * @category Evaluation
 */
export function attentionMask(attention: ArrayLike<number>, mass: number): Uint8Array {
  if (!(mass > 0 && mass <= 1)) {
    throw new HatchlingError(`Expected a share of the attention in (0, 1] but found ${mass}`);
  }
  const values = Float64Array.from(attention);
  if (!values.every((value) => value >= 0 && value < Infinity)) {
    throw new HatchlingError("Expected finite attention ≥ 0 but found other numbers");
  }
  const order = Array.from(values.keys()).sort((a, b) => values[b] - values[a] || b - a);
  const total = order.reduce((sum, i) => sum + values[i], 0);
  const mask = new Uint8Array(values.length);
  let sum = 0;
  for (const i of order) {
    // The sum runs in the same order as the total's, so that a share of 1 keeps all that is not 0.
    if (sum >= mass * total) break;
    mask[i] = 1;
    sum += values[i];
  }
  return mask;
}
