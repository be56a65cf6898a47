/**
 * Numbers of InfoNCE.
 *
 * @module
 */

/** Numbers of a loss. */
export interface Sizes {
  /** Samples B, of all views. */
  batch: number;
  /** Views V and global ones G. */
  views: number;
  globals: number;
}

/** ln 100 in float32: a learned temperature is never below 0.01 (CLIP, Radford et al. 2021, section 2.5). */
export const MAX_LOG_SCALE: number = Math.fround(Math.log(100));
