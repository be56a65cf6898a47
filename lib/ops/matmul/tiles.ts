/**
 * The tiles of matmul's kernel for GPUs: override constants of one text, and what follows from them.
 *
 * @module
 */

/** The constants of a tile, as kernels/matmul_staged.wgsl has them; what they mean stands there. */
export interface Tile {
  /** Invocations along the columns, a multiple of 8, and along the rows. */
  readonly X: number;
  readonly Y: number;
  /** Blocks of 4 × 4 outputs of an invocation: 1 or 2 of either. */
  readonly ROWS: number;
  readonly COLS: number;
  /** Blocks of four k in a slab: 2, 4 or 8. */
  readonly DEPTH: number;
}

/** A tile: rows × columns of C that a workgroup makes. */
export type MatmulTile =
  | "staged 32x32"
  | "staged 32x64"
  | "staged 64x32"
  | "staged 64x64"
  | "staged 64x64 deep"
  | "staged 64x64 wide"
  | "staged 64x128"
  | "staged 128x64"
  | "staged 128x128"
  | "staged 128x128 deep";

/**
 * Their constants. Deep ones halve the barriers and have more loads under way, for
 * more registers or workgroup memory: all tiles fit WebGPU's default limits but the last one, which takes 32 KiB.
 */
export const TILES: Readonly<Record<MatmulTile, Tile>> = {
  "staged 32x32": { X: 8, Y: 8, ROWS: 1, COLS: 1, DEPTH: 4 },
  "staged 32x64": { X: 16, Y: 8, ROWS: 1, COLS: 1, DEPTH: 4 },
  "staged 64x32": { X: 8, Y: 16, ROWS: 1, COLS: 1, DEPTH: 4 },
  "staged 64x64": { X: 8, Y: 8, ROWS: 2, COLS: 2, DEPTH: 2 },
  "staged 64x64 deep": { X: 8, Y: 8, ROWS: 2, COLS: 2, DEPTH: 4 },
  "staged 64x64 wide": { X: 8, Y: 16, ROWS: 1, COLS: 2, DEPTH: 4 },
  "staged 64x128": { X: 16, Y: 8, ROWS: 2, COLS: 2, DEPTH: 2 },
  "staged 128x64": { X: 8, Y: 16, ROWS: 2, COLS: 2, DEPTH: 2 },
  "staged 128x128": { X: 16, Y: 16, ROWS: 2, COLS: 2, DEPTH: 2 },
  "staged 128x128 deep": { X: 16, Y: 16, ROWS: 2, COLS: 2, DEPTH: 4 },
};

/** All of them, the smallest first. */
export const TILE_NAMES = Object.keys(TILES) as MatmulTile[];

/** Rows and columns of C that a workgroup makes, its invocations, and its bytes of workgroup memory. */
export function sizeOfTile({ X, Y, ROWS, COLS, DEPTH }: Tile): {
  rows: number;
  cols: number;
  invocations: number;
  bytes: number;
} {
  const [rows, cols] = [4 * Y * ROWS, 4 * X * COLS];
  // Two slabs of 4 · DEPTH k.
  return { rows, cols, invocations: X * Y, bytes: 2 * 4 * DEPTH * (rows + cols) * 4 };
}

/** Blocks of 4 × 4 of A, and of B, in a slab. */
export function blocksOf({ X, Y, ROWS, COLS, DEPTH }: Tile): { a: number; b: number } {
  return { a: Y * ROWS * DEPTH, b: X * COLS * DEPTH };
}

/** Blocks of a slab that an invocation loads. */
export function loadsOf(tile: Tile): number {
  const { a, b } = blocksOf(tile);
  return Math.ceil((a + b) / (tile.X * tile.Y));
}

/** Whether an adapter of these limits can run a tile. */
export function tileFits(limits: GPUSupportedLimits, tile: Tile): boolean {
  const { invocations, bytes } = sizeOfTile(tile);
  return invocations <= limits.maxComputeInvocationsPerWorkgroup &&
    tile.X <= limits.maxComputeWorkgroupSizeX && tile.Y <= limits.maxComputeWorkgroupSizeY &&
    bytes <= limits.maxComputeWorkgroupStorageSize;
}

/** Where blocks of a slab lie in workgroup memory, as place_a and place_b of the kernel say. */
export function placesOf(
  { X, Y, ROWS, COLS, DEPTH }: Tile,
  transposed: { a: boolean; b: boolean },
): { a: (m: number, k: number) => number; b: (k: number, n: number) => number } {
  const swizzle = (k: number) => transposed.b ? (k * (8 / DEPTH)) & 7 : 0;
  return {
    a: (m, k) => transposed.a ? k * Y * ROWS + m : m * DEPTH + k,
    b: (k, n) => k * X * COLS + (n ^ swizzle(k)),
  };
}

/**
 * The vec4s of workgroup memory that 32 neighbouring invocations touch at once, for each access that they make in a
 * slab but for those that differ by a multiple of all banks. A lane that touches nothing has −1.
 *
 * @param first The first of the invocations.
 * @param transposed A is stored [K, M]; B is stored [N, K].
 */
export function accessesOf(
  tile: Tile,
  first: number,
  transposed: { a: boolean; b: boolean },
): { stores: number[][]; reads: number[][] } {
  const { X, Y, ROWS, COLS, DEPTH } = tile;
  const blocks = blocksOf(tile);
  const place = placesOf(tile, transposed);
  const lanes = Array.from({ length: 32 }, (_, i) => first + i);
  const store = (slot: number): number => {
    const i = slot - blocks.a;
    if (i < 0) return slot;
    if (i >= blocks.b) return -1;
    return transposed.b ? place.b(i % DEPTH, Math.floor(i / DEPTH)) : i;
  };
  const count = (n: number) => Array.from({ length: n }, (_, i) => i);
  const reads = count(DEPTH).flatMap((k) => [
    ...count(ROWS).map((i) => lanes.map((lane) => place.a(Math.floor(lane / X) + i * Y, k))),
    ...count(COLS).map((i) => lanes.map((lane) => place.b(k, lane % X + i * X))),
  ]);
  const stores = count(loadsOf(tile)).map((i) => lanes.map((lane) => store(lane + i * X * Y)));
  return { stores, reads };
}

/**
 * Passes that 32 banks of 4 bytes need for an access to vec4s by 32 lanes. Hardware serves eight lanes at a time, 128
 * bytes; of these, one that another wants too costs nothing.
 *
 * @returns The passes, and the fewest that are possible.
 */
export function bankPasses(addresses: readonly number[]): { passes: number; least: number } {
  let passes = 0, least = 0;
  for (let at = 0; at < addresses.length; at += 8) {
    const wanted = new Set(addresses.slice(at, at + 8).filter((address) => address >= 0));
    const perBank = new Array(8).fill(0);
    for (const address of wanted) perBank[address % 8]++;
    passes += Math.max(...perBank);
    least += wanted.size > 0 ? 1 : 0;
  }
  return { passes, least };
}
