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
} from "./ops/attention.ts";
export { tuningTasks } from "./ops/tuning_tasks.ts";
export { gelu } from "./ops/gelu.ts";
export { l2Normalize } from "./ops/l2_normalize.ts";
export { layerNorm, type LayerNormResult } from "./ops/layer_norm.ts";
export {
  linear,
  type LinearBackward,
  type LinearOptions,
  type LinearResult,
} from "./ops/linear.ts";
export { matmul, type MatmulOptions, type MatmulVariant } from "./ops/matmul.ts";
export { patchEmbed, type PatchEmbedWeights, patchify } from "./ops/patch_embed.ts";
export { posEmbed, type PosInterp, resampleMatrix } from "./ops/pos_embed.ts";
export { columnSum, type ColumnSumOptions, rowSum, type RowSumOptions } from "./ops/reduce.ts";
export {
  dropPathFactors,
  type DropPathSource,
  gatherClass,
  type MicroBatch,
  scaleSamples,
  scatterClass,
} from "./ops/rows.ts";
export { softmax } from "./ops/softmax.ts";
export type { Weight } from "./ops/weight.ts";
export { weightNormLinear } from "./ops/weight_norm.ts";
