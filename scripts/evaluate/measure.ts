/**
 * Figures of several encoders of the same pictures, plain and whitened.
 *
 * @module
 */
import type { Encoder } from "../../lib/eval/encoder.ts";
import type { Figure } from "../../lib/eval/figures.ts";
import { measureFeatures } from "../../lib/eval/measure.ts";
import type { MeasureOptions } from "../../lib/eval/measure_options.ts";
import { type Readout, readoutName } from "../../lib/eval/readout.ts";
import type { Sides } from "../../lib/eval/sides.ts";
import type { Whitening } from "../../lib/eval/whiten.ts";
import { measureWhitened } from "../../lib/eval/whiten_sides.ts";
import { HatchlingError } from "../../lib/errors.ts";
import type { Gpu } from "../../lib/gpu.ts";
import type { Progress } from "../common/progress.ts";
import { writeFeatures } from "./features_file.ts";

/** What is measured. */
export interface Subject {
  encoder: Encoder;
  /** What is read out of the model that was asked for; undefined for what stands beside it. */
  readout?: Readout;
  /** Where its features are to be written, if anywhere. */
  file?: string;
  /** Fit linear probes and make clusters, too. */
  probes: boolean;
}

/** How. */
export interface SubjectOptions {
  settings: MeasureOptions;
  /** Shrinkage; undefined measures plain features alone. */
  alpha?: number;
  /** Keeps a whitening of the model's features. */
  store?: (readout: Readout, whitening: Whitening) => Promise<void>;
  progress: Progress;
  /** Gets what the user should know; said once. */
  notes: string[];
}

/** Measures all, and writes features: what fails then is returned, and hinders nothing. */
export async function measureSubjects(
  gpu: Gpu,
  sides: readonly Sides[],
  subjects: readonly Subject[],
  { settings, alpha, store, progress, notes }: SubjectOptions,
): Promise<{ figures: Figure[]; failures: string[] }> {
  const figures: Figure[] = [], failures: string[] = [];
  const onNote = (text: string) => void (notes.includes(text) || notes.push(text));
  for (const [e, { encoder: { name }, readout, file, probes }] of subjects.entries()) {
    const onMeasure = (what: string) => progress.show(`${name}: ${what}`);
    const options = { ...settings, probes, onNote, onMeasure };
    const { figures: plain, clusters } = await measureFeatures(gpu, sides[e], name, options);
    figures.push(...plain);
    if (file !== undefined && readout) {
      const failure = await attempt(async () => {
        const written = await writeFeatures(file, sides[e], clusters);
        notes.push(`features (${readoutName(readout)}) are in ${written.join(", ")}`);
      });
      if (failure !== undefined) failures.push(failure);
    }
    if (alpha === undefined) continue;
    const measured = await measureWhitened(gpu, sides[e], name, { ...options, whiten: { alpha } });
    figures.push(...measured.figures);
    const { whitened } = measured;
    if (!whitened || !readout || !store) continue;
    const failure = await attempt(() => store(readout, whitened.whitening));
    if (failure !== undefined) notes.push(`the whitening is not stored: ${failure}`);
  }
  progress.end();
  return { figures, failures };
}

/** Writes something; returns what hindered it, if anything: what was measured is not lost for that. */
export async function attempt(write: () => Promise<void>): Promise<string | undefined> {
  try {
    await write();
  } catch (error) {
    if (error instanceof HatchlingError) return error.message;
    throw error;
  }
}
