/**
 * Canaries of one rank.
 *
 * @module
 */
import type { Gpu } from "../../../lib/gpu.ts";
import type { CanaryCounts, CanaryFault, StepCanaries } from "../../../lib/train/canary.ts";

/** What is known of a fault where it was found. */
export interface FaultReport extends CanaryFault {
  /** What the canaries did until then. */
  counts: CanaryCounts;
  /** The adapter. */
  adapter: { description: string; vendor: string; architecture: string; software: boolean };
}

/** A fault, and on which rank. */
export type RankFault = FaultReport & { rank: number };

/** Puts to a fault what is known of it. */
export function reported(
  gpu: Gpu,
  { counts }: StepCanaries,
  fault: CanaryFault | undefined,
): FaultReport | undefined {
  if (!fault) return;
  const { description, vendor, architecture } = gpu.info;
  const adapter = { description, vendor, architecture, software: gpu.isSoftware };
  return { ...fault, counts, adapter };
}

/** Tries the known answers, unless that was done after this step. */
export async function tryCanaries(
  { gpu, stepper: { canaries } }: { gpu: Gpu; stepper: { canaries: StepCanaries } },
): Promise<FaultReport | undefined> {
  if (canaries.sound) return;
  canaries.run();
  return reported(gpu, canaries, canaries.check(await gpu.read(canaries.outputs)));
}

/** The first fault that a rank has found. */
export function firstFault(all: readonly (FaultReport | undefined)[]): RankFault | undefined {
  const rank = all.findIndex((fault) => fault);
  return rank < 0 ? undefined : { ...all[rank]!, rank };
}
