/**
 * What a comparison finds: lines of results.jsonl while it runs, a summary from them.
 *
 * @module
 */
import type { Figure } from "../../lib/eval/figures.ts";
import { median } from "../timing.ts";

/** What was compared, and on what. */
export interface Setup {
  /** Kind of line. */
  kind: "setup";
  /** The command. */
  command: string;
  /** The WebGPU adapter. */
  adapter: string;
  /** The processor, where it is known, and its threads. */
  machine: string;
  /** Deno's version. */
  deno: string;
  /** Versions of PyTorch and NumPy. */
  torch: string;
  /** PyTorch's threads. */
  threads: number;
  /** The pictures. */
  data: string;
  /** What is read out of the models. */
  feature: string;
  /** Steps to be done. */
  steps: number;
  /** Steps of an epoch. */
  stepsPerEpoch: number;
  /** Who trains. The first is Hatchling, the second PyTorch in float32, from the same weights; or PyTorch alone. */
  names: string[];
  /** Figures of the pixels. */
  baseline: Figure[];
}

/** A step of everybody. */
export interface StepLine {
  /** Kind of line. */
  kind: "step";
  /** Its number, from 0. */
  step: number;
  /** The objectives' own losses, in the order of the names. */
  loss: number[];
  /** The teachers' entropies in nats; null where an objective has none. */
  teacherEntropy: (number | null)[];
  /** InfoNCE in nats; null where it takes no part. */
  contrastive?: (number | null)[];
  /** Milliseconds of each. */
  ms: number[];
  /** Milliseconds for the crops of all. */
  cropsMs: number;
}

/** An evaluation of everybody. */
export interface EvaluationLine {
  /** Kind of line. */
  kind: "evaluation";
  /** Steps done. */
  step: number;
  /** Figures of all, by lib/eval; those of whitened features as {@linkcode WHITENED} says. */
  figures: Figure[];
  /** Largest difference between PyTorch's own figures and those of lib/eval from its features, in points. */
  crossCheck: number;
  /**
   * Distance of the evaluated weights to those of the first, over the way that the first has come; null where it
   * began elsewhere.
   */
  distance: (number | null)[];
}

/** A line of results.jsonl. */
export type Line = Setup | StepLine | EvaluationLine;

/** An epoch in numbers. */
export interface EpochSummary {
  /** From 1. */
  epoch: number;
  /** Mean loss of its steps, of each. */
  loss: number[];
  /** Mean |difference| of the losses to the first's, step by step. */
  apart: number[];
  /** The same two of InfoNCE beside another objective, where all have it. */
  contrastive?: { loss: number[]; apart: number[] };
}

/** All of it. */
export interface Summary {
  /** What was compared. */
  setup: Setup;
  /** Steps done. */
  steps: number;
  /** Relative differences of the very first loss to the first's. */
  firstLoss: number[];
  /** By epoch; the last may be incomplete. */
  epochs: EpochSummary[];
  /** Evaluations, in order. */
  evaluations: EvaluationLine[];
  /** Median milliseconds of a step, of each, without the first. */
  stepMs: number[];
  /** Median milliseconds for the crops. */
  cropsMs: number;
}

/** Sums up what has been done so far. */
export function summarize(setup: Setup, lines: readonly Line[]): Summary {
  const steps = lines.filter((line) => line.kind === "step");
  const each = <T>(of: (i: number) => T) => setup.names.map((_, i) => of(i));
  const mean = (numbers: number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  const timed = steps.slice(1);
  const numbers = [...new Set(steps.map(({ step }) => Math.floor(step / setup.stepsPerEpoch)))];
  return {
    setup,
    steps: steps.length,
    firstLoss: each((i) => steps.length ? steps[0].loss[i] / steps[0].loss[0] - 1 : 0),
    epochs: numbers.map((number) => {
      const mine = steps.filter(({ step }) => Math.floor(step / setup.stepsPerEpoch) === number);
      const meansOf = (values: number[][]) => ({
        loss: each((i) => mean(values.map((v) => v[i]))),
        apart: each((i) => mean(values.map((v) => Math.abs(v[i] - v[0])))),
      });
      const terms = mine.flatMap(({ contrastive, loss }) => {
        return contrastive?.every((x, i) => x !== null && x !== loss[i])
          ? [contrastive as number[]]
          : [];
      });
      return {
        epoch: number + 1,
        ...meansOf(mine.map(({ loss }) => loss)),
        ...terms.length === mine.length && { contrastive: meansOf(terms) },
      };
    }),
    evaluations: lines.filter((line) => line.kind === "evaluation"),
    stepMs: timed.length ? each((i) => median(timed.map(({ ms }) => ms[i]))) : [],
    cropsMs: timed.length ? median(timed.map(({ cropsMs }) => cropsMs)) : 0,
  };
}

/**
 * ‖a − b‖ / ‖a − from‖ over all weights: 0 the same, about √2 two ways as long that have nothing
 * in common.
 *
 * @returns 0 where a is b, and infinity where a has not moved but b has.
 */
export function relativeDistance(
  a: ReadonlyMap<string, Float32Array>,
  b: ReadonlyMap<string, Float32Array>,
  from: ReadonlyMap<string, Float32Array>,
): number {
  let apart = 0, moved = 0;
  for (const [name, values] of a) {
    const [other, start] = [b.get(name)!, from.get(name)!];
    for (let i = 0; i < values.length; i++) {
      apart += (values[i] - other[i]) ** 2;
      moved += (values[i] - start[i]) ** 2;
    }
  }
  return apart === 0 ? 0 : Math.sqrt(apart / moved);
}

/** What the names of figures of whitened features begin with. */
export const WHITENED = "whitened: ";

/** Largest difference in points between figures that both have; NaN where they have none in common. */
export function largestDifference(
  figures: readonly Figure[],
  own: Readonly<Record<string, number>>,
): number {
  const both = figures.filter(({ metric, percent }) => percent !== undefined && metric in own);
  if (!both.length) return NaN;
  return Math.max(...both.map(({ metric, percent }) => Math.abs(percent! - own[metric])));
}

/** Largest difference in points of any share to the first's, of each name; NaN where there is none. */
export function sharesApart(figures: readonly Figure[], names: readonly string[]): number[] {
  const of = (name: string) => figures.filter(({ encoder }) => encoder === name);
  const shares = (name: string) =>
    Object.fromEntries(
      of(name).flatMap(({ metric, percent }) => percent === undefined ? [] : [[metric, percent]]),
    );
  return names.map((name) => largestDifference(of(names[0]), shares(name)));
}

/** The figures that curves are drawn of: at most one of each kind, those that the data set allows. */
export function curveMetrics(figures: readonly Figure[]): string[] {
  const metrics = [...new Set(figures.map(({ metric }) => metric))];
  const kinds = [/^view retrieval R@1$/, / → .* R@1$/, /k-NN \(k \d+\)$/];
  const isWhite = (metric: string) => metric.startsWith(WHITENED);
  return [false, true].flatMap((white) => {
    const some = metrics.filter((metric) => isWhite(metric) === white)
      .map((metric) => white ? metric.slice(WHITENED.length) : metric);
    const found = kinds.flatMap((kind) => some.find((metric) => kind.test(metric)) ?? []);
    return found.map((metric) => white ? WHITENED + metric : metric);
  });
}
