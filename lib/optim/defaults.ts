/**
 * What AdamW has where nothing else is said; by itself, as lib/model/defaults.ts is.
 *
 * @module
 */

/** Of `AdamWOptions`. */
export const ADAMW_DEFAULTS = { betas: [0.9, 0.999], eps: 1e-8 } as const;
