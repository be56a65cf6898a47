/**
 * What is read out of a model, in words.
 *
 * @module
 */
import { type Feature, featureDim } from "../model/feature.ts";

/** What is read out of a model. */
export interface Readout {
  /** The word. */
  feature: Feature;
  /** Blocks, from the last one back, each after the final norm; 1 by default. */
  lastBlocks?: number;
  /** What becomes of several blocks: side by side, the last block at the end, or their mean. Default `concat`. */
  combine?: "concat" | "mean";
}

/** Numbers of a picture, with tokens of width D. */
export function readoutDim({ feature, lastBlocks = 1, combine }: Readout, dim: number): number {
  return featureDim(feature, dim) * (combine === "mean" ? 1 : lastBlocks);
}

/** In words: "grid", "class, last 4 blocks", "class, mean of last 4 blocks". */
export function readoutName({ feature, lastBlocks = 1, combine }: Readout): string {
  if (lastBlocks === 1) return feature;
  return `${feature}, ${combine === "mean" ? "mean of " : ""}last ${lastBlocks} blocks`;
}

/** An encoder's name: whose features, and which: "teacher (grid)". */
export function encoderName(who: string, readout: Readout): string {
  return `${who} (${readoutName(readout)})`;
}

/** Whether an encoder's name is of this network, whatever is read out of it: "teacher", "teacher (grid)". */
export function isEncoderOf(who: string, name: string): boolean {
  return name === who || name.startsWith(`${who} (`);
}

/** Whether an encoder's name is of a trained network, and not of pixels or of untrained weights. */
export function isNetworkName(name: string): boolean {
  return ["teacher", "student"].some((who) => isEncoderOf(who, name));
}

/** The name of an encoder whose features are whitened: "teacher (grid, whitened)", "raw pixels (whitened)". */
export function whitenedName(encoder: string): string {
  return encoder.endsWith(")") ? `${encoder.slice(0, -1)}, whitened)` : `${encoder} (whitened)`;
}

/** Whether an encoder's name is that of whitened features. */
export function isWhitenedName(encoder: string): boolean {
  return /\bwhitened\)$/.test(encoder);
}
