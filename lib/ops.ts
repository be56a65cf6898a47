/**
 * Differentiable ops: each computes forward and returns a `backward` for its gradient rule. There is no tape: what
 * ran forward is run backward by hand, in the opposite order.
 *
 * @example A linear layer, forward and backward
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { linear } from "@hatchling/hatchling/ops";
 *
 * const gpu = await openGpu();
 * const x = gpu.tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
 * const w = { data: gpu.tensor(Float32Array.of(1, 0, -1), [1, 3]), grad: gpu.empty([1, 3]) };
 * const { y, backward } = linear(gpu, x, w); // y = x Wᵀ, [2, 1]
 * const dx = backward(gpu.tensor(Float32Array.of(1, 10), [2, 1]))!; // fills w.grad
 * console.log(await y.read(), await dx.read(), await w.grad.read());
 * gpu.destroy();
 * ```
 *
 * @module
 */
export {
  attention,
  type AttentionOptions,
  type AttentionResult,
  type AttentionVariant,
} from "./ops/attention.ts";
export {
  batchNorm,
  type BatchNormOptions,
  type BatchNormResult,
  type BatchNormWeights,
} from "./ops/batch_norm.ts";
export { channelsLast } from "./ops/channels_last.ts";
export { conv2d, type Conv2dOptions, type Conv2dResult } from "./ops/conv2d.ts";
export { tuningTasks } from "./ops/tuning_tasks.ts";
export { gatherRows, NO_ROW, scatterRows } from "./ops/gather_rows.ts";
export { gelu } from "./ops/gelu.ts";
export { l2Normalize } from "./ops/l2_normalize.ts";
export { layerScale, layerScaleBackward } from "./ops/layer_scale.ts";
export { layerNorm, type LayerNormResult } from "./ops/layer_norm.ts";
export {
  linear,
  type LinearBackward,
  type LinearOptions,
  type LinearResult,
} from "./ops/linear.ts";
export {
  matmul,
  type MatmulOptions,
  type MatmulSums,
  type MatmulTile,
  type MatmulVariant,
} from "./ops/matmul.ts";
export {
  type MaskedPatches,
  patchEmbed,
  type PatchEmbedResult,
  type PatchEmbedWeights,
  patchify,
} from "./ops/patch_embed.ts";
export {
  type PatchGrid,
  type PoolOptions,
  poolTokens,
  poolTokensBackward,
} from "./ops/pool_tokens.ts";
export {
  averagePool,
  type AveragePoolOptions,
  maxPool,
  type MaxPoolOptions,
} from "./ops/pool2d.ts";
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
export { rope, type RopeTable, ropeTable } from "./ops/rope.ts";
export { softmax } from "./ops/softmax.ts";
export { swiglu } from "./ops/swiglu.ts";
export type { Weight } from "./ops/weight.ts";
export { weightNormLinear } from "./ops/weight_norm.ts";
