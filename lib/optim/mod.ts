/**
 * AdamW, clipping and schedules.
 *
 * @module
 */
export { AdamW, type AdamWOptions, type AdamWRates, isDecayed } from "./adamw.ts";
export { clipFactors, type ClipResult, flagNonFinite, type FlagOptions } from "./clip.ts";
export * from "./schedules.ts";
