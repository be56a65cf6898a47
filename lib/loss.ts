/**
 * The DINO loss (Caron et al. 2021, arXiv:2104.14294, section 3.1): a student sees every crop, a teacher
 * the global ones, and cross-entropy makes them agree across views; and what stands beside it or in its place, as
 * InfoNCE. `docs/guides/loss.md` explains them.
 *
 * @example The loss and its gradient, of plain arrays
 * ```ts
 * import { dinoLoss } from "@hatchling/hatchling/loss";
 *
 * const student = new Float32Array(3 * 2 * 4); // logits of 3 views of 2 images, 4 outputs
 * const teacher = new Float32Array(2 * 2 * 4); // of the 2 global ones
 * const { loss, gradStudent } = await dinoLoss({ student, teacher, outDim: 4, nCrops: 3 });
 * console.log(loss, gradStudent.length); // ln 4, 24
 * ```
 *
 * @module
 */
export { dinoLoss, type DinoLossArrays, type DinoLossInput } from "./loss/arrays.ts";
export { infoNce, type InfoNceResult } from "./loss/infonce.ts";
export { type InfoNceInput, infoNceLoss, type InfoNceValues } from "./loss/infonce/arrays.ts";
export { clampLogScale, type Temperature } from "./loss/infonce/kernels.ts";
export {
  type InfoNceReference,
  infoNceReference,
  type InfoNceReferenceInput,
} from "./loss/infonce/reference.ts";
export type { InfoNceMetrics, InfoNceOptions } from "./loss/infonce/options.ts";
export { gram, type GramOptions, type GramResult } from "./loss/gram.ts";
export { type GramInput, gramLoss, type GramValues } from "./loss/gram/arrays.ts";
export {
  type GramReference,
  gramReference,
  type GramReferenceInput,
} from "./loss/gram/reference.ts";
export { IbotLoss } from "./loss/ibot.ts";
export { ibotLoss, type IbotLossArrays, type IbotLossInput } from "./loss/ibot/arrays.ts";
export type { FullIbotSettings, IbotLossOptions, IbotLossSettings } from "./loss/ibot/options.ts";
export {
  type IbotLossReference,
  ibotLossReference,
  type IbotLossReferenceInput,
} from "./loss/ibot/reference.ts";
export type {
  IbotHeadLossResult,
  IbotLossMetrics,
  IbotLossResult,
  IbotLossValues,
  IbotMicroBatch,
  IbotSums,
} from "./loss/ibot/sums.ts";
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
