/**
 * How row-wise kernels are launched: 64 invocations per workgroup, some of them sharing a row, or 8 that hold one.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, grid } from "../gpu.ts";

/**
 * Longest row that one invocation walks alone. Lanes cost barriers, which software adapters play slowly;
 * but Mesa 22's software driver silently ends an invocation's loops after 65,535 turns in all, and some
 * kernels walk a row seven times.
 */
const ALONE = 4096;

/** Longest row of a GPU to which the choice of lanes applies, which is made with rows of 256. */
const SHORT = 1024;

/** The name under which {@linkcode Gpu.choices} holds the lanes per row. */
export const ROWS = "rows";

/** Lanes per row that suit the kind of adapter, of those that are not struck off. */
export function usualLanes(gpu: Gpu): number {
  const suited = gpu.isSoftware ? 1 : 64;
  return [suited, 64, 8, 1].find((n) => gpu.allows(ROWS, n)) ?? suited;
}

/**
 * The `LANES` constant and the workgroups for a kernel over `rows` rows of `columns` elements: as many lanes as
 * were chosen for this adapter (one on software adapters) while rows are short, else all 64. `gpu.lanes` overrides
 * the choice.
 */
export function rowLaunch(
  gpu: Gpu,
  rows: number,
  columns: number,
): { constants: { LANES: number }; workgroups: [number, number, number] } {
  const chosen = Number(gpu.choices.get(ROWS) ?? usualLanes(gpu));
  const wanted = columns <= (gpu.isSoftware ? ALONE : SHORT) ? chosen : 64;
  const lanes = gpu.lanes ?? allowed(gpu, ROWS, [wanted, 64, 8, 1]);
  return { constants: { LANES: lanes }, workgroups: grid(rows * lanes, 64) };
}

/** Rows of a GPU from which a workgroup of 256 shares one: there are few of them, and many loads must be under way. */
const LONG = 8192;

/** As {@linkcode rowLaunch}, with 256 invocations for a long row of a GPU: for kernels whose workgroups have `GROUP`. */
export function longRowLaunch(
  gpu: Gpu,
  rows: number,
  columns: number,
): { constants: { LANES: number; GROUP?: number }; workgroups: [number, number, number] } {
  const wanted = !gpu.isSoftware && gpu.lanes === undefined && columns >= LONG;
  if (!wanted || !gpu.allows(ROWS, 256)) {
    return rowLaunch(gpu, rows, columns);
  }
  return { constants: { LANES: 256, GROUP: 256 }, workgroups: grid(rows, 1) };
}

/**
 * The first number of lanes that is not struck off.
 *
 * @throws {HatchlingError} When all are.
 */
export function allowed(gpu: Gpu, kind: string, lanes: readonly number[]): number {
  const right = lanes.find((n) => gpu.allows(kind, n));
  if (right !== undefined) return right;
  throw new HatchlingError(
    `Expected kernels for ${kind} that compute right on this adapter but all ways of them were found wrong: ` +
      "update the driver, or try HATCHLING_ADAPTER=swiftshader",
  );
}

/** Longest row that eight lanes hold in registers, 16 vec4s each: with more, kernels take seconds to compile. */
const HELD = 512;

/** Among the ways of {@linkcode ROWS}, the one in which lanes hold a row. */
export const HELD_WAY = "held";

/** Rows of a workgroup of the kernels that hold them. */
export const ROWS_AT_ONCE = 32;

/**
 * The constants and workgroups for a kernel whose workgroups, of one subgroup each, hold a row in registers:
 * vec4s per lane, and whether all lanes have as many. Nothing where {@linkcode rowLaunch} is the better
 * choice: on GPUs, without subgroups, for long rows and those of broken vec4s.
 */
export function heldLaunch(
  gpu: Gpu,
  rows: number,
  columns: number,
):
  | { constants: { PER: number; WHOLE: boolean }; workgroups: [number, number, number] }
  | undefined {
  if (!gpu.allows(ROWS, HELD_WAY)) return undefined;
  if (gpu.lanes !== undefined || !gpu.isSoftware || gpu.subgroupSize < 8) return undefined;
  if (columns % 4 !== 0 || columns > HELD) return undefined;
  return {
    constants: { PER: Math.ceil(columns / 32), WHOLE: columns % 32 === 0 },
    workgroups: grid(rows, ROWS_AT_ONCE),
  };
}

/** Vec4s of a row that an invocation of a GPU holds in registers. */
const PER = 4;

/**
 * The constants and workgroups for a kernel whose invocations hold a row in registers on a GPU: 8 to 64 share one, as few
 * as can, and make `rows` rows or chunks of them. Nothing for rows above 1,024 columns or of broken vec4s, nor on software
 * adapters.
 */
export function heldRowLaunch(
  gpu: Gpu,
  rows: number,
  columns: number,
): { constants: { LANES: number; PER: number }; workgroups: [number, number, number] } | undefined {
  if (gpu.lanes !== undefined || gpu.isSoftware || columns % 4 !== 0) return undefined;
  if (!gpu.allows(ROWS, HELD_WAY)) return undefined;
  const lanes = [8, 16, 32, 64].find((n) => columns <= 4 * PER * n);
  if (!lanes) return undefined;
  return {
    constants: { LANES: lanes, PER: Math.ceil(columns / 4 / lanes) },
    workgroups: grid(rows * lanes, 64),
  };
}

/**
 * For kernels that move rows of `columns` elements: the `VEC` constant (whole vec4s), the row's width in vec4s or
 * else in elements, and the workgroups, whose invocations take four of these each.
 */
export function moveLaunch(
  rows: number,
  columns: number,
): { constants: { VEC: boolean }; width: number; workgroups: [number, number, number] } {
  const vec = columns % 4 === 0;
  const width = vec ? columns / 4 : columns;
  return { constants: { VEC: vec }, width, workgroups: grid(rows * Math.ceil(width / 4), 64) };
}
