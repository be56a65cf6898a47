/**
 * Position embeddings of other sizes, resampled as a file is read.
 *
 * @module
 */
import type { Resizing } from "../io/names/pieces.ts";
import { type PosInterp, resampleMatrix } from "../ops/pos_embed.ts";

/**
 * Resamples a square grid of positions, in double precision.
 *
 * @param values [from², D].
 * @returns [to², D].
 *
 * @example
 * ```ts
 * import { resampleGrid } from "./resample.ts";
 *
 * const smaller = resampleGrid(Float32Array.of(1, 1, 1, 1), { before: 0, from: 2, to: 1 }, "size");
 * console.assert(smaller.length === 1 && Math.abs(smaller[0] - 1) < 1e-6);
 * ```
 */
export function resampleGrid(
  values: Float32Array,
  { from, to }: Resizing,
  mode: PosInterp,
): Float32Array {
  const dim = values.length / (from * from);
  const weights = resampleMatrix(from, to, mode);
  // Rows first, then columns.
  const tall = new Float64Array(to * from * dim), out = new Float32Array(to * to * dim);
  const cell = new Float64Array(dim);
  for (let r = 0; r < to; r++) {
    for (let i = 0; i < from; i++) {
      const weight = weights[r * from + i];
      if (weight === 0) continue;
      for (let j = 0; j < from * dim; j++) {
        tall[r * from * dim + j] += weight * values[i * from * dim + j];
      }
    }
  }
  for (let r = 0; r < to; r++) {
    for (let c = 0; c < to; c++) {
      cell.fill(0);
      for (let j = 0; j < from; j++) {
        const weight = weights[c * from + j];
        if (weight === 0) continue;
        for (let d = 0; d < dim; d++) cell[d] += weight * tall[(r * from + j) * dim + d];
      }
      out.set(cell, (r * to + c) * dim);
    }
  }
  return out;
}
