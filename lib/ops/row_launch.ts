/**
 * How row-wise kernels are launched: 64 invocations per workgroup, some of them sharing a row.
 *
 * @module
 */
import { type Gpu, grid } from "../gpu/mod.ts";

/**
 * Longest row that one invocation walks alone. Lanes cost barriers, which software adapters play slowly;
 * but Mesa 22's software driver silently ends an invocation's loops after 65,535 turns in all, and some
 * kernels walk a row seven times.
 */
const ALONE = 4096;

/**
 * The `LANES` constant and the workgroups for a kernel over `rows` rows of `columns` elements: one lane
 * on software adapters while rows are short, else all 64. `gpu.lanes` overrides the choice.
 */
export function rowLaunch(
  gpu: Gpu,
  rows: number,
  columns: number,
): { constants: { LANES: number }; workgroups: [number, number, number] } {
  const lanes = gpu.lanes ?? (gpu.isSoftware && columns <= ALONE ? 1 : 64);
  return { constants: { LANES: lanes }, workgroups: grid(rows * lanes, 64) };
}
