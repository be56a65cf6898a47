/**
 * AdamW, clipping and schedules.
 *
 * @module
 */
export { AdamW, type AdamWOptions, isDecayed } from "./adamw.ts";
export { clipFactors, type ClipResult, flagNonFinite } from "./clip.ts";
export * from "./schedules.ts";
