/**
 * What a product by a tile costs, counted: operations, bytes, registers, workgroup memory; and what share of a GPU's
 * arithmetic that allows.
 *
 * @module
 */
import { accessesOf, bankPasses, loadsOf, sizeOfTile, type Tile } from "./tiles.ts";
import type { Product } from "./variants.ts";

/** Registers of an invocation beside its numbers: addresses, sizes, counters. */
const OTHER_REGISTERS = 24;

/** What a GPU has, a core being what runs a workgroup (a streaming multiprocessor, a compute unit). */
export interface GpuFigures {
  /** Its name. */
  readonly name: string;
  /** Cores, multiply-adds of one in a clock, 10⁹ clocks per second. */
  readonly cores: number;
  readonly lanes: number;
  readonly clock: number;
  /** 32-bit registers, bytes of workgroup memory, and invocations of a core; most registers of an invocation. */
  readonly registers: number;
  readonly workgroupBytes: number;
  readonly invocations: number;
  readonly mostRegisters: number;
  /** 10⁹ bytes per second of memory, and of the last cache before it where that is known. */
  readonly memory: number;
  readonly cache?: number;
}

/** What is counted of a product by a tile. */
export interface TileCost {
  /** Workgroups, and their invocations. */
  readonly workgroups: number;
  readonly invocations: number;
  /** Bytes of workgroup memory, and registers of an invocation. */
  readonly workgroupBytes: number;
  readonly registers: number;
  /** Operations of the product, and the share that they are of those done: tiles reach beyond edges. */
  readonly flops: number;
  readonly used: number;
  /** Bytes that workgroups read and write, and the fewest: each number once. */
  readonly bytes: number;
  readonly leastBytes: number;
  /** Operations for a byte that workgroups read or write. */
  readonly intensity: number;
  /** Passes of 128 bytes over workgroup memory for 128 multiply-adds, bank conflicts included. */
  readonly passes: number;
}

/** Counts a product whose sum over K is made in `splits` parts. */
export function costOf(tile: Tile, product: Product, splits = 1): TileCost {
  const { m, n, k, transA, transB } = product;
  const { rows, cols, invocations, bytes: workgroupBytes } = sizeOfTile(tile);
  const { ROWS, COLS, DEPTH } = tile;
  const [down, across] = [Math.ceil(m / rows), Math.ceil(n / cols)];
  const flops = 2 * m * n * k;
  // A goes to every column of tiles, B to every row; parts are written, and read once more by what adds them.
  const parts = splits > 1 ? 2 * splits : 0;
  const bytes = 4 * (across * m * k + down * k * n + (1 + parts) * m * n);
  let passes = 0;
  for (let first = 0; first < invocations; first += 32) {
    const { reads, stores } = accessesOf(tile, first, { a: transA, b: transB });
    // All four k of a block lie a multiple of all banks apart.
    for (const lanes of [...reads, ...stores]) passes += 4 * bankPasses(lanes).passes;
  }
  return {
    workgroups: down * across * splits,
    invocations,
    workgroupBytes,
    registers: 16 * ROWS * COLS + 4 * (ROWS + COLS) + 16 * loadsOf(tile) + OTHER_REGISTERS,
    flops,
    used: m * n / (down * rows * across * cols),
    bytes,
    leastBytes: 4 * (m * k + k * n + m * n),
    intensity: flops / bytes,
    passes: passes / (rows * cols * 4 * DEPTH / 128),
  };
}

/** What share of a GPU's arithmetic a product can reach, and what holds it there. */
export interface Reach {
  /** Workgroups that a core holds at once; 0 when it cannot hold one. */
  readonly resident: number;
  /** Their invocations, of those that it could hold. */
  readonly occupancy: number;
  /** The share, and 10⁹ operations per second. */
  readonly share: number;
  readonly gflops: number;
  /** What bounds it. */
  readonly bound: "arithmetic" | "workgroup memory" | "cache" | "memory" | "too few workgroups";
}

/** The most that a product can reach on a GPU, were nothing to wait for anything else. */
export function reachOf(cost: TileCost, gpu: GpuFigures): Reach {
  const { invocations, workgroupBytes, registers, workgroups, flops } = cost;
  const peak = 2 * gpu.cores * gpu.lanes * gpu.clock;
  const resident = registers > gpu.mostRegisters ? 0 : Math.floor(Math.min(
    gpu.registers / (registers * invocations),
    gpu.workgroupBytes / workgroupBytes,
    gpu.invocations / invocations,
  ));
  const done = flops / cost.used;
  // Of equal workgroups the last ones end alone.
  const each = workgroups / gpu.cores;
  const balance = each / Math.ceil(each);
  // Seconds · 10⁹.
  const times = {
    "arithmetic": done / peak,
    "workgroup memory": done / peak * cost.passes * gpu.lanes / 128,
    "cache": balance * cost.bytes / (gpu.cache ?? Infinity),
    "memory": balance * cost.leastBytes / gpu.memory,
  };
  const [bound, time] = Object.entries(times).reduce((a, b) => b[1] > a[1] ? b : a);
  const share = resident && balance * flops / peak / time;
  return {
    resident,
    occupancy: resident * invocations / gpu.invocations,
    share,
    gflops: share * peak,
    bound: each < 1 ? "too few workgroups" : bound as Reach["bound"],
  };
}
