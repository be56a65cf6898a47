/**
 * What optimisers have where nothing else is said; by itself, as lib/model/defaults.ts is.
 *
 * @module
 */

/** Of `AdamOptions`. */
export const ADAM_DEFAULTS = { betas: [0.9, 0.999], eps: 1e-8 } as const;

/** Of `SgdOptions`. */
export const SGD_DEFAULTS = { momentum: 0.9, nesterov: false } as const;
