/**
 * Attention over the picture that it belongs to.
 *
 * @module
 */
import type { Picture } from "../data/image.ts";
import { type ColorMap, fieldOf, overlay } from "./colors.ts";

/** How attention is drawn. */
export interface AttentionColors {
  /** Colours. */
  map: ColorMap;
  /** Weight of the colours, 0 to 1. */
  alpha: number;
  /** Blend from patch to patch. */
  smooth: boolean;
}

/** The map over the picture, from its least to its most attended patch; that one's attention over the average. */
export function drawn(
  base: Picture,
  map: Float64Array,
  grid: readonly [number, number],
  { map: colors, alpha, smooth }: AttentionColors,
): { picture: Picture; peak: number } {
  const least = Math.min(...chunks(map, Math.min)), most = Math.max(...chunks(map, Math.max));
  const scaled = map.map((value) => most > least ? (value - least) / (most - least) : 0);
  const total = map.reduce((a, b) => a + b, 0);
  return {
    picture: overlay(base, fieldOf(scaled, grid, base, smooth), colors, alpha),
    peak: total > 0 ? most * map.length / total : 1,
  };
}

/** Extremes of pieces: a call takes only so many arguments. */
function chunks(values: Float64Array, extreme: (...values: number[]) => number): number[] {
  const step = 4096;
  return Array.from(
    { length: Math.ceil(values.length / step) },
    (_, i) => extreme(...values.subarray(i * step, (i + 1) * step)),
  );
}
