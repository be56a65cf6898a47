/**
 * Why numbers of a step are no longer finite.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { feedOptionsOf, precisionOf } from "../../lib/from_config.ts";
import { firstNonFinite, type NonFinite } from "../../lib/non_finite.ts";
import { shown } from "../../lib/text.ts";
import { describeStep } from "../../lib/train/describe.ts";
import type { NonFiniteStep } from "./observe.ts";
import type { Run } from "./run.ts";

/** A step whose numbers were not finite. */
export interface BadStep extends NonFiniteStep {
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
export async function diagnoseNonFinite(
  run: Run,
  { step, what }: NonFiniteStep,
): Promise<BadStep> {
  const { config, files, gpu, loader, model, pictures, stepper: { outputs } } = run;
  const found = await firstOf(run, step);
  const names = new Set(model.specs().map(({ name }) => name));
  const weights = names.has(found?.name.replace(/^(student|teacher)\./, "") ?? "");
  const norms = await gpu.read(outputs.norms.map(({ norms }) => norms));
  const name = `non-finite-${String(step).padStart(8, "0")}.json`;
  const report = {
    step,
    what,
    first: found ?? null,
    pictures: await describeStep(loader, pictures.dataset, feedOptionsOf(config), step),
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
async function firstOf(run: Run, step: number): Promise<NonFinite | undefined> {
  const { config, feed, gpu, model, progress, trainer: { student, teacher } } = run;
  const { seed } = config.training;
  try {
    for (let m = 0; m < feed.accumulationSteps; m++) {
      await feed.microBatch(step, m);
      const crops = gpu.scope(() => feed.views());
      const { batchSize: batch, accumulationSteps } = feed;
      const dropPath = { seed, step, microBatch: { batch, index: m, accumulationSteps } };
      const { masks } = feed;
      const inputs = { model, student, teacher, crops, masks, dropPath };
      const found = await firstNonFinite(gpu, { ...inputs, precision: precisionOf(config, gpu) });
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
export function badStepText(
  { step, what, first, file }: Omit<BadStep, "file" | "weights"> & { file?: string },
): string {
  return `NaN or infinity in ${what} at step ${step}` +
    (first ? `; the first was in ${first}` : "") +
    (file === undefined ? "" : ` (pictures and figures: ${shown(file)})`);
}
