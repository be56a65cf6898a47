/**
 * AdamW, clipping and schedules.
 *
 * @module
 */
export { AdamW, type AdamWOptions, type AdamWRates, isDecayed } from "./optim/adamw.ts";
export { clipFactors, type ClipResult, flagNonFinite, type FlagOptions } from "./optim/clip.ts";
export * from "./optim/schedules.ts";
