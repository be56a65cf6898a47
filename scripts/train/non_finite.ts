/**
 * What a run does about numbers that are no longer finite.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import type { Gpu } from "../../lib/gpu.ts";
import type { DinoModel } from "../../lib/model.ts";
import { firstNonFinite, type NonFinite } from "../../lib/non_finite.ts";
import { shown } from "../../lib/text.ts";
import type { StepOutputs, Trainer } from "../../lib/train.ts";
import type { Feed } from "../../lib/train/feed.ts";
import type { Progress } from "../shared/progress.ts";
import type { SideFiles } from "../../lib/run/side_files.ts";

/** What is known of the run. */
export interface Patient {
  /** Files of the run. */
  files: SideFiles;
  /** Its model. */
  model: DinoModel;
  /** Its trainer, whose state is that from before the bad step. */
  trainer: Trainer;
  /** What the last step that ran tells. */
  outputs: StepOutputs;
  /** What brings its pictures. */
  feed: Feed;
  /** Seed of drop path. */
  seed: number;
  /** Where to say what is done. */
  progress: Progress;
}

/** A step whose numbers were not finite. */
export interface BadStep {
  /** Its number, from 0: as many sound ones were done. */
  step: number;
  /** What held the number when the step was checked, at its end. */
  what: string;
  /** The first tensor of its forward pass that held one, in words, when there is one. */
  first?: string;
  /** Whether the weights themselves are to blame: then the update before has spoiled them. */
  weights: boolean;
  /** The file that holds all that is known. */
  file: string;
}

/**
 * The device has kept everything as it was before the bad step. Looks for the tensor that held the first such
 * number, and writes non-finite-<step>.json: pictures with their views, tensor, norms.
 */
export async function examine(
  gpu: Gpu,
  step: number,
  what: string,
  patient: Patient,
): Promise<BadStep> {
  const { files, model, outputs, feed } = patient;
  const found = await firstOf(gpu, step, patient);
  const names = new Set(model.specs().map(({ name }) => name));
  const weights = names.has(found?.name.replace(/^(student|teacher)\./, "") ?? "");
  const norms = await gpu.read(outputs.norms.map(({ norms }) => norms));
  const name = `non-finite-${String(step).padStart(8, "0")}.json`;
  const report = {
    step,
    what,
    first: found ?? null,
    pictures: await feed.describe(step),
    // Of the last step that ran before the read-back, where it isn't the bad one itself. Null: not finite.
    gradient_norms: Object.fromEntries(
      outputs.norms.flatMap(({ names }, i) => names.map((name, j) => [name, norms[i][j]])),
    ),
  };
  await files.put(name, JSON.stringify(report, null, 2) + "\n");
  const file = join(files.folder, name);
  return { step, what, ...found && { first: found.text }, weights, file };
}

/** The first tensor of a step's forward pass with such a number, when there is one. */
async function firstOf(
  gpu: Gpu,
  step: number,
  { model, trainer, feed, seed, progress }: Patient,
): Promise<NonFinite | undefined> {
  const { student, teacher } = trainer;
  try {
    for (let m = 0; m < feed.accumulationSteps; m++) {
      await feed.microBatch(step, m);
      const crops = gpu.scope(() => feed.views());
      const { batchSize: batch, accumulationSteps } = feed;
      const dropPath = { seed, step, microBatch: { batch, index: m, accumulationSteps } };
      const found = await firstNonFinite(gpu, { model, student, teacher, crops, dropPath });
      for (const tensor of crops) tensor.destroy();
      if (found) return found;
    }
  } catch (error) {
    // Memory for another forward pass may be missing.
    if (!(error instanceof HatchlingError)) throw error;
    progress.say(`note: what held the first such number was not found: ${error.message}`);
  }
}

/** What happened, in words. */
export function badStepText({ step, what, first, file }: BadStep): string {
  return `NaN or infinity in ${what} at step ${step}` +
    (first ? `; the first was in ${first}` : "") +
    ` (pictures and figures: ${shown(file)})`;
}
