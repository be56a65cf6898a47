/**
 * What cannot be counted in a kernel's text: registers of an invocation, and the inner loop of those that multiply tiles.
 *
 * @module
 */
import type { Constants } from "../../lib/gpu.ts";
import { costOf } from "../../lib/ops/matmul/cost.ts";
import type { Tile } from "../../lib/ops/matmul/tiles.ts";

/** A turn of the inner loop of one invocation. */
export interface InnerLoop {
  /** Multiply-adds. */
  fmas: number;
  /** Loads of a vec4 from workgroup memory, each by how many different ones 32 neighbours ask for. */
  loads: number[];
  /** All other instructions that a turn costs, its share of staging and of what comes between tiles included. */
  others: number;
}

/** What is declared of a kernel. */
export interface Declared {
  /** 32-bit registers. */
  registers: number;
  /** Loads of the adapter's memory that an invocation has under way. */
  loads: number;
  /** Multiply-adds that are made over those that are wanted: tiles reach beyond what they cover. */
  padding: number;
  /** Without one it streams. */
  inner?: InnerLoop;
}

/** Addresses, counters and numbers under way, of any kernel. */
const BASE = 12;

/** Registers of kernels that keep little, and loads that they have under way: assumptions. */
const FEW = { registers: 40, loads: 2, padding: 1 };

/** What is declared of the kernel of that name. */
export function declaredOf(
  name: string,
  constants: Constants,
  params: Readonly<Record<string, number>>,
): Declared {
  const c = (key: string, otherwise = 1) => Number(constants[key] ?? otherwise);
  const whole = (n: number, tile: number) => Math.ceil(n / tile) * tile / n;
  if (name.startsWith("matmul_staged")) {
    const [X, Y] = [c("X", 8), c("Y", 8)];
    const tile = { X, Y, ROWS: c("ROWS"), COLS: c("COLS"), DEPTH: c("DEPTH", 4) };
    const { m, n, k } = params;
    const { registers, used } = costOf(tile, { m, n, k, transA: false, transB: false });
    return { ...staged(tile, c("LOADS")), registers, padding: 1 / used };
  }
  if (name.startsWith("attention_tiled")) {
    const padding = whole(params.tokens, c("ROWS", 4) * c("HEIGHT", 8)) *
      whole(params.tokens, 32) * whole(params.head_dim, 32);
    return { ...tiled(name, c("ROWS", 4), c("HEIGHT", 8), c("CHUNKS")), padding };
  }
  const per = c("PER");
  if (name === "layer_norm_held") return { registers: 4 * per + 2 * BASE, loads: per, padding: 1 };
  if (name === "layer_norm_grad_held") {
    return { registers: 5 * 4 * per + 2 * BASE, loads: 2 * per, padding: 1 };
  }
  return FEW;
}

/** Blocks of 4 × 4 outputs; the slab that follows waits in registers. */
function staged({ X, ROWS, COLS }: Tile, loads: number): Pick<Declared, "loads" | "inner"> {
  return {
    loads: 4 * loads,
    inner: {
      fmas: 16 * ROWS * COLS,
      loads: [...Array(ROWS).fill(32 / X), ...Array(COLS).fill(X)],
      // A block of a slab is 4 loads, 4 stores and as many for addresses, for DEPTH · 4 turns; the loop itself.
      others: 2 + loads,
    },
  };
}

/** Blocks of ROWS × 4 scores; sums of a vec4 per row and chunk, two of them for keys and values. */
function tiled(
  name: string,
  rows: number,
  height: number,
  chunks: number,
): Omit<Declared, "padding"> {
  const key = name.endsWith("_kv"), query = name.endsWith("_q");
  const sums = 4 * rows * chunks * (key ? 2 : 1);
  const blocks = 4 * rows * (key || query ? 2 : 1);
  const statistics = key ? 8 : query ? 2 * rows : 3 * rows;
  // Of a tile: chunks of the own rows and of the others are staged, 8 instructions a vec4, and the scores become weights.
  const passes = { scores: key || query ? 2 : 1, sums: key ? 2 : 1 };
  const turns = 8 * chunks * (passes.scores + passes.sums);
  const vec4s = chunks * (passes.scores * (rows + 32 / height) + passes.sums * 32 / height);
  const weights = rows * (key || query ? 30 : 50);
  return {
    // A vec4 of an own row and four of the others.
    registers: sums + blocks + statistics + 4 + 16 + BASE,
    loads: rows + 32 / height,
    inner: {
      fmas: 16 * rows,
      loads: [...Array(rows).fill(4), ...Array(4).fill(8)],
      others: 4 + (8 * vec4s + weights) / turns,
    },
  };
}
