/**
 * Which readout is worth using, by the figures of an evaluation.
 *
 * @module
 */
import { type Pair, standings } from "../diagnosis/worth.ts";
import { shown } from "../text.ts";
import type { Figure } from "./figures.ts";

/** The readout that {@linkcode bestReadout} finds. */
export interface BestReadout {
  /** Its encoder, as the figures call it. */
  encoder: string;
  /** What was read out of the model, in words: "grid"; "" for its own feature. */
  feature: string;
  /** Whether it is whitened. */
  whitened: boolean;
  /** The answer in one line, with the figures that decided. */
  text: string;
}

/**
 * The best of a model's readouts: of those that stand best beside raw pixels treated alike (plain beside plain, whitened
 * beside whitened) and beside the same model untrained, the one whose figures are the highest in the mean. What decides
 * are at most four figures in which pictures are found or told by their neighbours: R@1 across vendors and of views,
 * k-NN by each kind of label.
 *
 * Readouts are chosen by labels here, where there are any, but none is fitted to them.
 *
 * @param figures Of all encoders, as {@linkcode evaluate} names them.
 * @param options `pictures`: how many were judged, by default 1,000.
 * @returns Undefined where no figure of a model tells something.
 *
 * @example
 * ```ts
 * import { bestReadout } from "@hatchling/hatchling/eval";
 *
 * const figure = (encoder: string, percent: number) => {
 *   return { group: "", metric: "view retrieval R@1", encoder, percent };
 * };
 * const best = bestReadout([
 *   figure("teacher (class)", 2),
 *   figure("teacher (grid)", 29),
 *   figure("raw pixels", 20),
 * ]);
 * console.assert(best?.feature === "grid");
 * ```
 *
 * @category Evaluation
 */
export function bestReadout(
  figures: readonly Figure[],
  options: { pictures?: number } = {},
): BestReadout | undefined {
  const [best, ...others] = standings(figures, options);
  if (!best) return;
  const { readout: { encoder, how: feature, whitened }, pixels, own } = best;
  const name = [feature, whitened ? "whitened" : "plain"].filter(Boolean).map(shown).join(", ");
  const lead = `${
    others.length ? `best readout here (of ${others.length + 1})` : "readout"
  }: ${name}`;
  return { encoder, feature, whitened, text: `${lead}: ${standingOf(pixels, own, whitened)}` };
}

/** "above raw pixels whitened in 3 of 4 figures (…), below in 1 (…)". */
function standingOf(
  pixels: readonly Pair[],
  own: ReadonlyMap<string, number>,
  whitened: boolean,
): string {
  if (!pixels.length) {
    const told = [...own].map(([metric, percent]) => `${shown(metric)} ${percent.toFixed(1)} %`);
    return `${told.join(", ")}; not compared with raw pixels`;
  }
  const than = `raw pixels ${whitened ? "whitened" : "plain"}`;
  const parts = WORDS.flatMap(([sign, word]) => {
    const list = pixels.filter((pair) => pair.sign === sign);
    return list.length ? [{ word, list }] : [];
  });
  return parts.map(({ word, list }, i) => {
    const told = list.map(({ metric, own, other }) =>
      `${shown(metric)} ${own.toFixed(1)} against ${other.toFixed(1)} %`
    );
    const share = i ? `in ${list.length}` : `${than} in ${list.length} of ${pixels.length} figures`;
    return `${word} ${share} (${told.join(", ")})`;
  }).join(", ");
}

const WORDS = [[1, "above"], [0, "level with"], [-1, "below"]] as const;
