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
