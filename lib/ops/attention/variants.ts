/**
 * The ways to make attention: which there are, what each needs, how it is launched, and which one suits.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import { type Constants, type Gpu, grid, type KernelSource } from "../../gpu.ts";
import { canBroadcast, SUBGROUP_LANES, subgroupLanes } from "../subgroup_lanes.ts";
import { PLAIN, SUBGROUP, TILED } from "./kernels.ts";

/**
 * Who loads the keys and values: `plain` each invocation for its one to three queries, any adapter; `tiled4` and
 * `tiled8` a workgroup through its memory, for blocks of 4 or 8 queries by 4 keys per invocation, for GPUs; `subgroup`
 * 8 or 16 lanes by broadcast, for software adapters, where loads are what costs, and heads of a multiple of 4 dimensions.
 * A variant's scores are the same, to the last bit, in its forward and backward passes.
 */
export type AttentionVariant = "plain" | "tiled4" | "tiled8" | "subgroup";

/** Invocations of a workgroup of the plain kernels. */
const WIDTH = SUBGROUP_LANES.least;

/** Channels of a chunk of the tiled kernels. */
const CHUNK = 32;

/** The name under which {@linkcode Gpu.choices} holds the variant. */
export const ATTENTION = "attention";

/** The variants that run here for heads of so many dimensions, and right as far as is known. */
export function attentionVariants(gpu: Gpu, headDim: number): AttentionVariant[] {
  const all: AttentionVariant[] = ["plain", "tiled4", "tiled8"];
  if (broadcasts(gpu, headDim)) all.push("subgroup");
  return all.filter((variant) => gpu.allows(ATTENTION, variant));
}

/** Whether lanes can share heads of so many dimensions by broadcast. */
export function broadcasts(gpu: Gpu, headDim: number): boolean {
  return headDim % 4 === 0 && canBroadcast(gpu);
}

/** In the order in which they suit an adapter of each kind. */
const SUITED: Readonly<Record<"gpu" | "software", readonly AttentionVariant[]>> = {
  gpu: ["tiled4", "tiled8", "plain"],
  software: ["subgroup", "plain", "tiled4"],
};

/**
 * What suits the kind of adapter.
 *
 * @throws {HatchlingError} When all that run here were found wrong.
 */
export function suitedAttention(gpu: Gpu, headDim: number): AttentionVariant {
  const right = attentionVariants(gpu, headDim);
  const variant = SUITED[gpu.isSoftware ? "software" : "gpu"].find((one) => right.includes(one));
  if (variant) return variant;
  throw new HatchlingError(
    "Expected a kernel for attention that computes right on this adapter but all were found wrong: update the " +
      "driver, or try HATCHLING_ADAPTER=swiftshader",
  );
}

/** What was chosen for this adapter, where it runs for these heads, or else suits its kind. */
export function chosenAttention(gpu: Gpu, headDim: number): AttentionVariant {
  const choice = gpu.choices.get(ATTENTION) as AttentionVariant | undefined;
  const fits = choice && attentionVariants(gpu, headDim).includes(choice);
  return fits ? choice : suitedAttention(gpu, headDim);
}

/** The kernels of a pass, forward and backward. */
export type Pass = keyof typeof PLAIN;

/** How a kernel is dispatched. */
export interface AttentionLaunch {
  kernel: KernelSource;
  constants: Constants;
  /** Workgroups, the kernels' parameter. */
  n: number;
  workgroups: [number, number, number];
}

/** How a variant makes a pass over `sequences` of batch and heads: each workgroup for one of them. */
export function attentionLaunch(
  gpu: Gpu,
  variant: AttentionVariant,
  pass: Pass,
  sequences: number,
  tokens: number,
  headDim: number,
): AttentionLaunch {
  const BLOCKS = Math.ceil(headDim / 4);
  const VEC = headDim % 4 === 0;
  const groups = (own: number) => {
    const n = sequences * Math.ceil(tokens / own);
    return { n, workgroups: grid(n, 1) };
  };
  if (variant === "tiled4" || variant === "tiled8") {
    const CHUNKS = Math.ceil(headDim / CHUNK);
    // Sums of 8 rows fit in registers where there are one or two vec4s of each; keys and values have two sums.
    const ROWS = variant === "tiled8" && CHUNKS <= 2 && pass !== "backwardKv" ? 8 : 4;
    const HEIGHT = tileHeight(tokens, ROWS);
    const constants = { CHUNKS, ROWS, HEIGHT, OWN: 8 * ROWS * HEIGHT, VEC };
    return { kernel: TILED[pass], constants, ...groups(ROWS * HEIGHT) };
  }
  const LANES = variant === "subgroup" ? subgroupLanes(gpu) : WIDTH;
  const Q = ownRows(tokens, LANES, BLOCKS);
  const constants = { BLOCKS, END: Math.ceil(BLOCKS / 4) * 4, Q };
  if (variant === "plain") {
    return { kernel: PLAIN[pass], constants: { ...constants, VEC, WIDTH }, ...groups(WIDTH * Q) };
  }
  const TWO = BLOCKS <= MOST_PAIRED && HELD[pass] * Q * BLOCKS <= MOST_HELD;
  return { kernel: SUBGROUP[pass], constants: { ...constants, LANES, TWO }, ...groups(LANES * Q) };
}

/** Tokens of an invocation: up to three, where registers suffice, and no more than as few workgroups need. */
function ownRows(tokens: number, lanes: number, blocks: number): number {
  const most = blocks > 16 ? 2 : 3;
  const groups = Math.ceil(tokens / (lanes * most));
  return Math.ceil(tokens / (lanes * groups));
}

/** Arrays of an invocation, each a head of every token of its own. */
const HELD: Readonly<Record<Pass, number>> = { forward: 2, backwardQ: 3, backwardKv: 4 };

/**
 * Vec4s in these arrays up to which meeting others in pairs pays: the loop is longer then, and a longer one than this
 * leaves a processor's cache of instructions. And those of a head whose two rows eight lanes load in four loads.
 */
const MOST_HELD = 96, MOST_PAIRED = 16;

/** Rows of invocations in a workgroup of the tiled kernels, by own rows of each: eight by four are neighbours on most GPUs. */
const HEIGHTS = { 4: [4, 8, 12, 16], 8: [4, 8] } as const;

/** Instructions that bring others' rows to a workgroup, over all others of one own row in a workgroup of one row. */
const STAGING = 1.5;

/**
 * The height that costs least: few own rows beyond the sequence, and others brought for many. 5 tokens want 16 rows, 17
 * and 197 want 32, 37 and 65 want 48, 50 want 64. Workgroups of 32 invocations are for short sequences alone.
 */
export function tileHeight(tokens: number, rows: 4 | 8): number {
  const cost = (height: number) =>
    Math.ceil(tokens / (rows * height)) * rows * (height + STAGING / rows);
  const heights = HEIGHTS[rows].filter((height) => rows * height >= Math.min(32, tokens));
  return heights.reduce((best, height) => cost(height) <= cost(best) ? height : best);
}
