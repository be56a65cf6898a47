/**
 * Why numbers of a step are no longer finite.
 *
 * @module
 */
import { join } from "node:path";
import { shown } from "../../lib/text.ts";
import type { NonFiniteStep } from "../../lib/train/observe.ts";
import { ask } from "./ranks/duties.ts";
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
  const { files, gpu, model, stepper: { outputs }, team } = run;
  const all = await ask(run, "diagnose", { step });
  // The pictures of the rank that found it; else anyone's may be to blame.
  const at = all.findIndex(({ first }) => first), found = all[at]?.first;
  const of = (rank: number) => team.size > 1 ? { rank, host: team.hosts[rank] } : {};
  const pictures = all.flatMap(({ pictures }, rank) =>
    at < 0 || at === rank ? pictures.map((picture) => ({ ...of(rank), ...picture })) : []
  );
  const names = new Set(model.specs().map(({ name }) => name));
  const weights = names.has(found?.name.replace(/^(student|teacher)\./, "") ?? "");
  const norms = await gpu.read(outputs.norms.map(({ norms }) => norms));
  const name = `non-finite-${String(step).padStart(8, "0")}.json`;
  const report = {
    step,
    what,
    first: found ? { ...of(at), ...found } : null,
    pictures,
    // Of the last step that ran before the read-back, where it isn't the bad one itself. Null: not finite.
    gradient_norms: Object.fromEntries(
      outputs.norms.flatMap(({ names }, i) => names.map((name, j) => [name, norms[i][j]])),
    ),
  };
  await files.put(name, JSON.stringify(report, null, 2) + "\n");
  const file = join(files.folder, name);
  return { step, what, ...found && { first: team.said(found.text, at) }, weights, file };
}

/** What happened, in words. */
export function badStepText(
  { step, what, first, file }: Omit<BadStep, "file" | "weights"> & { file?: string },
): string {
  return `NaN or infinity in ${what} at step ${step}` +
    (first ? `; the first was in ${first}` : "") +
    (file === undefined ? "" : ` (pictures and figures: ${shown(file)})`);
}
