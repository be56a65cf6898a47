/**
 * Optimisers (AdamW, Adam, SGD), clipping, the teacher's moving average, schedules.
 *
 * @example Values of a schedule
 * ```ts
 * import { cosineSchedule, scaledLr } from "@hatchling/hatchling/optim";
 *
 * const lr = cosineSchedule({
 *   base: scaledLr(5e-4, 64), // for 64 pictures a step; the base is for 256
 *   final: 1e-6,
 *   epochs: 100,
 *   itersPerEpoch: 20,
 *   warmupEpochs: 10,
 * });
 * console.log(lr(0), lr(200), lr(1999)); // 0, 0.000125, about 1e-6
 * ```
 *
 * @module
 */
export { emaUpdate } from "./ema.ts";
export { AdamW, type AdamWOptions } from "./optim/adamw.ts";
export { clipFactors, type ClipMode, type ClipResult } from "./optim/clip.ts";
export { layerDecay } from "./optim/layer_decay.ts";
export type {
  Moments,
  Optimizer,
  OptimizerOptions,
  OptimizerRates,
  StepKernel,
} from "./optim/optimizer.ts";
export { optimizerOf, type OptimizerSettings } from "./optim/optimizer_of.ts";
export { Sgd, type SgdOptions } from "./optim/sgd.ts";
export * from "./optim/schedules.ts";
