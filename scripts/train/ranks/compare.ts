/**
 * Whether the weights of all ranks are still the same.
 *
 * @module
 */
import { ask } from "./duties.ts";
import type { RankParts } from "./parts.ts";
import { checkHashes } from "./state.ts";

/**
 * Compares all bits of both networks; with one rank there is nothing to compare.
 *
 * @throws {RankError} When ranks differ: which, and what to do.
 */
export async function compareWeights(run: RankParts & { step: number }): Promise<void> {
  if (run.team.size > 1) checkHashes(run.team, run.step, await ask(run, "hashes", null));
}
