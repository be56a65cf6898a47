/**
 * What the loss has where nothing else is said; by itself, as lib/model/defaults.ts is.
 *
 * @module
 */

/** Of `DinoLossSettings`. */
export const LOSS_DEFAULTS = {
  nGlobalCrops: 2,
  studentTemp: 0.1,
  teacherTemp: 0.04,
  centerMomentum: 0.9,
  centering: "center",
  koleoWeight: 0,
} as const;

/** Of `infoNce`. */
export const INFONCE_DEFAULTS = {
  globals: 2,
  temperature: 0.1,
} as const;

/** Of `IbotLossSettings`. */
export const IBOT_DEFAULTS = {
  studentTemp: 0.1,
  teacherTemp: 0.04,
  centerMomentum: 0.9,
  centering: "center",
  weight: 1,
} as const;

/** Of `MaskOptions`: DINOv2's (Oquab et al. 2023, arXiv:2304.07193, table 16 and its code). */
export const MASK_DEFAULTS = {
  maskProb: 0.5,
  maskRatioMin: 0.1,
  maskRatioMax: 0.5,
} as const;

/** Of Gram anchoring in a run. */
export const GRAM_DEFAULTS = {
  refreshEpochs: 10,
} as const;
