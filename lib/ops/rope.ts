/**
 * Axial rotary position embedding of patches.
 *
 * @module
 */
import code from "../../kernels/rope.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu.ts";

const ROPE = defineKernel("rope", code);

/** Angles of a grid of patches, for heads of one width. */
export interface RopeTable {
  /** [rows + cols, headDim / 4, 2]: cosine and sine of every row's angles, then of every column's. */
  table: Tensor;
  /** Patches down. */
  rows: number;
  /** Patches across. */
  cols: number;
  /** Dimensions of a head. */
  headDim: number;
}

/**
 * The angles of DINOv3 (Siméoni et al. 2025, arXiv:2508.10104, and its published code): 2π · c / base^(4 i / headDim), i <
 * headDim / 4, where c = 2 · (p + ½) / n − 1 is a patch's place among n down, or across.
 *
 * @param headDim Dimensions of a head, a multiple of 4.
 * @param base Longest period over the shortest; 100 in DINOv3.
 * @throws {HatchlingError} When a head is not that wide.
 */
export function ropeTable(
  gpu: Gpu,
  [rows, cols]: readonly [rows: number, cols: number],
  headDim: number,
  base: number,
): RopeTable {
  if (headDim < 4 || headDim % 4) {
    throw new HatchlingError(
      `rope: expected heads of a multiple of 4 dimensions but found ${headDim}: choose other dim or heads`,
    );
  }
  const quarter = headDim / 4;
  const values = [rows, cols].flatMap((n) =>
    Array.from({ length: n * quarter }, (_, at) => {
      const place = 2 * (Math.floor(at / quarter) + 0.5) / n - 1;
      const angle = 2 * Math.PI * place / base ** (at % quarter / quarter);
      return [Math.cos(angle), Math.sin(angle)];
    }).flat()
  );
  const table = gpu.tensor(Float32Array.from(values), [rows + cols, quarter, 2], "rope");
  return { table, rows, cols, headDim };
}

/**
 * Rotates the queries and keys of patches in place; other tokens come first, and stay.
 *
 * @param qkv [B, N, 3 · D], laid out [q | k | v], each [head][head_dim].
 * @param inverse Back again: what a gradient of qkv needs, after that of attention.
 * @throws {HatchlingError} When the sizes do not fit.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { rope, ropeTable } from "@hatchling/hatchling/ops";
 *
 * const gpu = await openGpu();
 * const qkv = gpu.tensor(new Float32Array(5 * 24).fill(1), [1, 5, 24]); // a class token, 2 × 2 patches
 * const angles = ropeTable(gpu, [2, 2], 4, 100);
 * rope(gpu, qkv, angles);
 * rope(gpu, qkv, angles, true); // all ones again
 * gpu.destroy();
 * ```
 */
export function rope(gpu: Gpu, qkv: Tensor, angles: RopeTable, inverse = false): void {
  const [batch, tokens, width] = qkv.shape;
  const { table, rows, cols, headDim } = angles;
  const dim = width / 3, heads = dim / headDim, prefix = tokens - rows * cols;
  if (qkv.shape.length !== 3 || !Number.isInteger(heads) || !Number.isInteger(dim) || prefix < 0) {
    throw new HatchlingError(
      `rope: expected qkv [B, N, 3·D] of ${rows} × ${cols} patches and heads of ${headDim} dimensions but found ${qkv}`,
    );
  }
  const n = batch * rows * cols * dim;
  gpu.dispatch(ROPE, {
    bindings: { table, qkv },
    params: { n, tokens, prefix, heads, head_dim: headDim, rows, cols, turn: inverse ? -1 : 1 },
    workgroups: grid(n, 64),
    flops: 6 * n,
  });
}
