/**
 * A look at the results of a step, on all ranks at once.
 *
 * @module
 */
import type { Observation } from "../../../lib/train/observe.ts";
import { firstFault, type RankFault } from "./canaries.ts";
import { ask } from "./duties.ts";
import type { RankParts } from "./parts.ts";

/** What the ranks have seen. */
export interface TeamObservation extends Omit<Observation, "fault"> {
  /** The first fault that a canary of any rank has found. */
  fault?: RankFault;
}

/**
 * Has all ranks look, and takes note of the damaged pictures that others have found.
 *
 * @param asked Whether canaries ran within the step, and whether the spread of the state is wanted.
 */
export async function look(
  parts: RankParts,
  asked: { watched: boolean; spread: boolean },
): Promise<TeamObservation> {
  const all = await ask(parts, "look", asked);
  const [own, ...others] = all;
  for (const { damaged } of others) parts.pictures.add(damaged);
  const { damaged: _, ...seen } = own;
  return { ...seen, fault: firstFault(all.map(({ fault }) => fault)) };
}
