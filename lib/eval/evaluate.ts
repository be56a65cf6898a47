/**
 * What the features of several encoders are worth, on the same pictures.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { Gpu } from "../gpu.ts";
import type { Encoder } from "./encoder.ts";
import type { Figure } from "./figures.ts";
import { measureFeatures } from "./measure.ts";
import type { MeasureOptions } from "./measure_options.ts";
import { encodeSides, type SidesOptions } from "./sides.ts";

/**
 * Options of {@linkcode evaluate}.
 *
 * @category Evaluation
 */
export interface EvaluateOptions extends SidesOptions, MeasureOptions {}

/**
 * Evaluates every encoder on the same pictures and views.
 *
 * Without labels: view retrieval, effective rank, spread, uniformity, alignment. By every kind of label: k-NN and
 * retrieval, with `probes` also linear probes and k-means. With a test set its pictures are judged by those of the
 * data set, else every picture by all others. With labels `identity` and `vendor`, the first vendor's pictures
 * are looked for among the second's. Damaged pictures are left out. Several ranks (`comm`) share the encoding, and
 * rank 0 measures.
 *
 * @returns The figures; of several ranks on rank 0 alone, elsewhere none.
 * @throws {HatchlingError} When no picture is sound, features are not finite, options out of range, or another rank
 * fails while it encodes.
 *
 * @category Evaluation
 */
export async function evaluate(
  gpu: Gpu,
  dataset: Dataset,
  encoders: readonly Encoder[],
  options: EvaluateOptions,
): Promise<Figure[]> {
  const sides = await encodeSides(gpu, dataset, encoders, options);
  const figures: Figure[] = [], notes = new Set<string>();
  const onNote = (text: string) => { // most are the same for all encoders
    if (!notes.has(text)) options.onNote?.(text);
    notes.add(text);
  };
  for (const [e, both] of sides.entries()) {
    const { name } = encoders[e];
    figures.push(...(await measureFeatures(gpu, both, name, { ...options, onNote })).figures);
  }
  return figures;
}
