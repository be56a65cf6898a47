/**
 * The DINO loss (Caron et al. 2021, arXiv:2104.14294, section 3.1): a student sees every crop, a teacher
 * the global ones, and cross-entropy makes them agree across views. `docs/guides/loss.md` explains it.
 *
 * @module
 */
export type { AugmentationConfig, LossConfig } from "./config/types.ts";
export { HatchlingError } from "./errors.ts";
export * from "./gpu.ts";
export type { LastLayer } from "./model/head.ts";
export { dinoLoss, type DinoLossArrays, type DinoLossInput } from "./loss/arrays.ts";
export { koleo, type KoleoOptions, type KoleoResult } from "./loss/koleo.ts";
export type {
  Centering,
  DinoForwardOptions,
  DinoLossContext,
  DinoLossOptions,
  DinoLossSettings,
  FullSettings,
  TemperatureKey,
  TemperaturesAt,
} from "./loss/options.ts";
export {
  type DinoLossReference,
  dinoLossReference,
  type DinoLossReferenceInput,
} from "./loss/reference.ts";
export type {
  DinoHeadLossResult,
  DinoLossMetrics,
  DinoLossResult,
  DinoLossValues,
} from "./loss/result.ts";
export { DinoLoss } from "./loss/dino_loss.ts";
export type { HeadInput } from "./loss/head.ts";
export type { LossMicroBatch, LossSums } from "./loss/sums.ts";
