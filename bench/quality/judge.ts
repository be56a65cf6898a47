/**
 * Everybody judged by the same code, and PyTorch's own figures beside it.
 *
 * @module
 */
import type { Figure } from "../../lib/eval/figures.ts";
import { measureFeatures } from "../../lib/eval/measure.ts";
import type { MeasureOptions } from "../../lib/eval/measure_options.ts";
import { measureWhitened } from "../../lib/eval/whiten_sides.ts";
import type { Gpu } from "../../lib/gpu.ts";
import type { Encoded } from "./contestant.ts";
import { largestDifference, WHITENED } from "./results.ts";

/** How features are judged. */
export interface JudgeOptions extends MeasureOptions {
  /** The shrinkage of whitened features, which are then judged too. */
  alpha?: number;
}

/** Figures of features, and how far they are from those that the side has worked out by itself. */
export async function judge(
  gpu: Gpu,
  { sides, own }: Encoded,
  name: string,
  { alpha, ...options }: JudgeOptions,
): Promise<{ figures: Figure[]; apart: number }> {
  const { figures } = await measureFeatures(gpu, sides, name, options);
  const differences = own ? [largestDifference(figures, own.plain)] : [];
  if (alpha !== undefined) {
    const white = await measureWhitened(gpu, sides, name, { ...options, whiten: { alpha } });
    const found = white.figures.map((f) => ({ ...f, encoder: name }));
    if (own?.whitened && found.length) differences.push(largestDifference(found, own.whitened));
    figures.push(...found.map((f) => ({ ...f, metric: WHITENED + f.metric })));
  }
  return { figures, apart: Math.max(0, ...differences) };
}
