/**
 * Groups of parameters in a trainer's optimiser: those that some steps leave alone, and the steps that each has done.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { isHead } from "../model/parts.ts";
import type { Optimizer } from "../optim.ts";
import type { StepValues } from "./options.ts";

/** Group of the optimiser that facebookresearch/dino freezes in the first epochs. */
export const LAST_LAYER = 1;
/** Groups of the backbone, and of the heads before their last layers. */
const BACKBONE = 0, HEADS = 2;

/** The group of a parameter. */
export function groupOf(name: string): number {
  if (/^(ibot_)?head\.last_layer\./.test(name)) return LAST_LAYER;
  return isHead(name) ? HEADS : BACKBONE;
}

/** Groups that a step leaves alone, and those whose moments alone it moves. */
export function groupsAtRest(
  { freezeLastLayer, holdBackbone }: Pick<StepValues, "freezeLastLayer" | "holdBackbone">,
): { frozen: number[]; held: number[] } {
  return { frozen: freezeLastLayer ? [LAST_LAYER] : [], held: holdBackbone ? [BACKBONE] : [] };
}

/**
 * Sets what the optimiser has counted of each group.
 *
 * @throws {HatchlingError} When the counts are not whole numbers with 0 ≤ frozen ≤ done.
 */
export function setCounts(
  { counts }: Pick<Optimizer, "counts">,
  { done, frozen }: { done: number; frozen: number },
): void {
  if (!(Number.isInteger(done) && Number.isInteger(frozen) && frozen >= 0 && frozen <= done)) {
    throw new HatchlingError(
      `Trainer: expected whole counts with 0 ≤ frozen ≤ done but found ${done} steps, ${frozen} of them frozen: ` +
        "give those of the weights that the run goes on from",
    );
  }
  counts.fill(done);
  counts[LAST_LAYER] = done - frozen;
}
