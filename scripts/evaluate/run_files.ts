/**
 * What an evaluation leaves in the folder of a run.
 *
 * @module
 */
import { dirname } from "node:path";
import type { Figure } from "../../lib/eval/figures.ts";
import { type Readout, readoutName } from "../../lib/eval/readout.ts";
import type { Whitening } from "../../lib/eval/whiten.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { readFile } from "../../lib/io/files.ts";
import type { LoadedModel } from "../../lib/open_model/load.ts";
import { modelHash } from "../../lib/open_model/model_hash.ts";
import { storeWhitening } from "../../lib/open_model/whitening.ts";

/** Stores the whitening of a run's features with its weights. */
export async function keepWhitening(
  { config, file, weights }: LoadedModel,
  readout: Readout,
  whitening: Whitening,
): Promise<void> {
  const of = { feature: readoutName(readout), model: modelHash(weights, config, readout) };
  await storeWhitening(dirname(file), whitening, of);
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Puts figures in the place of those of the same encoders; what else the file holds stays. */
export async function addFigures(path: string, figures: readonly Figure[]): Promise<void> {
  let before: Figure[] = [];
  try {
    before = JSON.parse(new TextDecoder().decode(await readFile(path)));
  } catch (error) {
    // Not there yet, or not JSON any more: this makes one.
    if (!(error instanceof SyntaxError) && await isThere(path)) throw error;
  }
  if (!Array.isArray(before)) before = [];
  const encoders = new Set(figures.map(({ encoder }) => encoder));
  const all = [...figures, ...before.filter(({ encoder }) => !encoders.has(encoder))];
  await writeFileAtomic(path, new TextEncoder().encode(JSON.stringify(all, null, 2) + "\n"));
}
