/**
 * The ways to make a product: which there are, what each needs, and which one suits.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import type { Constants, Gpu } from "../../gpu.ts";
import {
  blocksOf,
  loadsOf,
  type MatmulTile,
  sizeOfTile,
  type Tile,
  TILE_NAMES,
  tileFits,
  TILES,
} from "./tiles.ts";
import { canBroadcast, SUBGROUP_LANES, subgroupLanes } from "../subgroup_lanes.ts";

/**
 * How a product is made: `plain` in registers, any shape on any adapter; `staged`, with the rows and columns of its
 * tiles, through workgroup memory, for GPUs; `subgroup` with rows shared by broadcast, for software adapters, where
 * loads are what costs; `naive` one output at a time, which the others are checked against and which suits products
 * so small that compiling one of the others takes longer.
 */
export type MatmulVariant = "plain" | "subgroup" | "naive" | MatmulTile;

/** All of them. */
export const VARIANTS: readonly MatmulVariant[] = ["plain", "subgroup", ...TILE_NAMES, "naive"];

/** A product to be made. */
export interface Product {
  /** op(A) is [M, K], op(B) [K, N]. */
  m: number;
  n: number;
  k: number;
  /** A is stored [K, M]. */
  transA: boolean;
  /** B is stored [N, K]. */
  transB: boolean;
}

/** Workgroups below which a long sum is split, on software adapters and on GPUs. */
const FEW_WORKGROUPS = { software: 4, gpu: 128 };

/** Least k of a split, and the most that Mesa's software driver walks in one loop: it ends there silently. */
const LEAST_SPLIT = 256, MOST_SPLIT = 4 * 60_000;

/** Fewest rows or columns that are worth the usual tiles. */
const SKINNY = 32;

/** The tile of a variant, if it has one. */
export function tileOf(variant: MatmulVariant): Tile | undefined {
  return TILES[variant as MatmulTile];
}

/** Rows and columns of C that a workgroup makes. */
export function outputsOf(gpu: Gpu, variant: MatmulVariant): { rows: number; cols: number } {
  const tile = tileOf(variant);
  if (tile) return sizeOfTile(tile);
  return { rows: variant === "subgroup" ? 4 * subgroupLanes(gpu) : 64, cols: 64 };
}

/** Whether all rows of a product's matrices are whole vec4s. */
export function isWhole({ m, n, k, transA, transB }: Product): boolean {
  return [transA ? m : k, transB ? k : n, n].every((size) => size % 4 === 0);
}

/** Whether this adapter computes this product with a variant. */
export function fits(gpu: Gpu, variant: MatmulVariant, product: Product): boolean {
  if (variant === "subgroup") return isWhole(product) && canBroadcast(gpu);
  const tile = tileOf(variant);
  if (!tile) return VARIANTS.includes(variant);
  const { rows } = sizeOfTile(tile);
  const most = gpu.limits.maxComputeWorkgroupsPerDimension;
  return tileFits(gpu.limits, tile) && Math.ceil(product.m / rows) <= most;
}

/** The shape class of a product, for which one variant is chosen. */
export function shapeClass({ m, n, transA, transB }: Product): string {
  const tiles = Math.ceil(m / 64) * Math.ceil(n / 64);
  const size = Math.min(m, n) <= SKINNY
    ? "skinny"
    : tiles < 16
    ? "small"
    : tiles < 256
    ? "medium"
    : "large";
  return `matmul ${transA ? "T" : "N"}${transB ? "T" : "N"} ${size}`;
}

/** Whether a variant computes this product here, and right as far as is known. */
export function usable(gpu: Gpu, variant: MatmulVariant, product: Product): boolean {
  return fits(gpu, variant, product) && gpu.allows("matmul", variant);
}

/**
 * What suits the kind of adapter.
 *
 * @throws {HatchlingError} When all variants that compute it were found wrong.
 */
export function usualVariant(gpu: Gpu, product: Product): MatmulVariant {
  const suited = gpu.isSoftware ? undefined : suitedTile(gpu, product);
  const variant = suited ??
    (["subgroup", "plain", "naive"] as const).find((one) => usable(gpu, one, product));
  if (variant) return variant;
  throw new HatchlingError(
    "Expected a kernel for matrix products that computes right on this adapter but all were found wrong: " +
      "update the driver, or try HATCHLING_ADAPTER=swiftshader",
  );
}

/**
 * The tile for a GPU that nobody has tried: the one with most of what makes a tile fast. Few outputs beyond the
 * matrix; many multiply-adds for a number read from workgroup memory (4 at 8 × 8 an invocation) and for one read from
 * memory; workgroups for the whole GPU.
 */
function suitedTile(gpu: Gpu, product: Product): MatmulTile | undefined {
  const { m, n } = product;
  if (Math.min(m, n) <= SKINNY) {
    const name = m > SKINNY ? "staged 64x32" : n > SKINNY ? "staged 32x64" : "staged 32x32";
    if (usable(gpu, name, product)) return name;
  }
  const score = (name: MatmulTile) => {
    const { ROWS, COLS } = TILES[name];
    const { rows, cols } = sizeOfTile(TILES[name]);
    const groups = Math.ceil(m / rows) * Math.ceil(n / cols);
    const busy = Math.min(1, groups * splitsOf(gpu, name, product) / FEW_WORKGROUPS.gpu);
    const fed = ROWS * COLS / (ROWS + COLS) * (1 - 8 * (1 / rows + 1 / cols));
    return m * n / (groups * rows * cols) * busy * fed;
  };
  const tiles = TILE_NAMES.filter((name) => usable(gpu, name, product));
  return tiles.length ? tiles.reduce((a, b) => score(b) > score(a) ? b : a) : undefined;
}

/** What was chosen for the product's class, where it fits this one, or else suits the kind of adapter. */
export function variantOf(gpu: Gpu, product: Product): MatmulVariant {
  const chosen = gpu.choices.get(shapeClass(product)) as MatmulVariant | undefined;
  return chosen && usable(gpu, chosen, product) ? chosen : usualVariant(gpu, product);
}

/** Parts of K that keep an adapter busy which wants at least `few` workgroups. */
export function partsOf(groups: number, k: number, few: number = FEW_WORKGROUPS.gpu): number {
  if (groups >= few) return 1;
  return Math.max(1, Math.min(Math.ceil(few / groups), Math.floor(k / LEAST_SPLIT)));
}

/** Splits of K: more than one where there would be few workgroups, or a loop too long for a software adapter. */
export function splitsOf(gpu: Gpu, variant: MatmulVariant, { m, n, k }: Product): number {
  const must = gpu.isSoftware ? Math.ceil(k / MOST_SPLIT) : 1;
  const { rows, cols } = outputsOf(gpu, variant);
  const groups = Math.ceil(n / cols) * Math.ceil(m / rows);
  return Math.max(must, partsOf(groups, k, FEW_WORKGROUPS[gpu.isSoftware ? "software" : "gpu"]));
}

/** Constants that are a variant's own. */
export function constantsOfVariant(gpu: Gpu, variant: MatmulVariant): Constants {
  if (variant === "subgroup") {
    const lanes = subgroupLanes(gpu);
    return { LANES: lanes, WIDE: lanes === SUBGROUP_LANES.wide };
  }
  const tile = tileOf(variant);
  if (!tile) return {};
  const { a, b } = blocksOf(tile);
  return { ...tile, A_BLOCKS: a, B_BLOCKS: b, VECS: 8 * (a + b), LOADS: loadsOf(tile) };
}
