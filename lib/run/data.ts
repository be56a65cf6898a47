/**
 * What is known of a run from the files in its folder.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { SkippedFile } from "../data/dataset.ts";
import type { MetricLine } from "../diagnosis.ts";
import type { Figure } from "../eval/figures.ts";
import type { Samples, Snapshot } from "./left.ts";
import type { StartedPart } from "./shapes.ts";

/** A line of evaluations.jsonl. */
export interface EvaluationLine {
  /** Steps done. */
  step: number;
  /** What was measured of the teacher, by the name of its encoder. */
  figures: (Pick<Figure, "metric" | "percent" | "value"> & { encoder?: string })[];
  /** What was measured beside it, of raw pixels and the untrained model: at the first evaluation of a start. */
  baselines?: Pick<Figure, "metric" | "encoder" | "percent" | "value">[];
}

/** A step whose numbers were not finite. */
export interface BadMark {
  /** The step. */
  step: number;
  /** What held the first such number, in words. */
  what: string;
}

/** How a run was set up. */
export interface RunSetup {
  /** Every start of the run. */
  parts: StartedPart[];
  /** The configuration, where this version can read it. */
  config?: Config;
  /** Why it cannot, in words. */
  why?: string;
  /** Whether there is none. */
  lacksConfig?: boolean;
  /** Text of config.yaml. */
  yaml?: string;
  /** Steps of an epoch. */
  stepsPerEpoch?: number;
  /** Steps that the run is to do. */
  totalSteps?: number;
}

/** What is known of a run. */
export interface RunData extends RunSetup {
  /** Path of its folder. */
  folder: string;
  /** Name of its folder. */
  name: string;
  /** Logged steps, each once and in order; of very long runs thinned, with every peak. */
  lines: MetricLine[];
  /** Evaluations while it trained, each step once and in order. */
  evaluations: EvaluationLine[];
  /** evaluation.json. */
  figures: Figure[];
  /** Steps that were not finite: they were left out, or ended the run. */
  bad: BadMark[];
  /** Attention over time. */
  snapshots: Snapshot[];
  /** Whether a process holds the folder. */
  running: boolean;
  /** Whether it came to its end. */
  finished: boolean;
  /** What could not be read, in words. */
  notes: string[];
}

/** What a report shows besides. */
export interface RunExtras {
  /** Files that were left out: how many, and the first of them. */
  skipped: { count: number; first: SkippedFile[] };
  /** Pictures for the report that the run has left. */
  samples: Samples;
}
