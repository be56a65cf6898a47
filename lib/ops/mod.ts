/**
 * Differentiable ops: each computes forward and returns a `backward` for its gradient rule.
 *
 * @module
 */
export {
  attention,
  type AttentionOptions,
  type AttentionResult,
  type AttentionVariant,
} from "./attention.ts";
export { kernelContests } from "./contests.ts";
export { gelu } from "./gelu.ts";
export { l2Normalize } from "./l2_normalize.ts";
export { layerNorm, type LayerNormResult } from "./layer_norm.ts";
export { linear, type LinearBackward, type LinearOptions, type LinearResult } from "./linear.ts";
export { matmul, type MatmulOptions, type MatmulVariant } from "./matmul.ts";
export { patchEmbed, type PatchEmbedWeights, patchify } from "./patch_embed.ts";
export { posEmbed, type PosInterp, resampleMatrix } from "./pos_embed.ts";
export { columnSum, type ColumnSumOptions, rowSum, type RowSumOptions } from "./reduce.ts";
export {
  dropPathFactors,
  type DropPathSource,
  gatherClass,
  type MicroBatch,
  scaleSamples,
  scatterClass,
} from "./rows.ts";
export { softmax } from "./softmax.ts";
export type { Weight } from "./weight.ts";
export { weightNormLinear } from "./weight_norm.ts";
