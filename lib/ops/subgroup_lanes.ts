/**
 * Workgroups whose lanes share what they load by broadcast.
 *
 * @module
 */
import type { Gpu } from "../gpu.ts";

/** Lanes that kernels with broadcasts are made for: a workgroup of them lies within one subgroup. */
export const SUBGROUP_LANES = { least: 8, wide: 16 };

/** Whether kernels with broadcasts run here. */
export function canBroadcast(gpu: Gpu): boolean {
  return gpu.subgroupSize >= SUBGROUP_LANES.least;
}

/** Lanes of their workgroups: software adapters leave lanes of a subgroup idle that a workgroup has not. */
export function subgroupLanes(gpu: Gpu): number {
  const { least, wide } = SUBGROUP_LANES;
  return gpu.subgroupSize >= wide ? wide : least;
}
