/**
 * Token sequences of several lengths, packed into one matrix: what works on rows alone takes them all at once.
 *
 * @module
 */
import type { DType, Gpu, Tensor } from "../gpu.ts";
import { BYTES } from "../gpu/tensor.ts";

/** Sequences of one length among packed rows [R, D]. */
export interface Span {
  /** How many sequences. */
  count: number;
  /** Tokens of each. */
  tokens: number;
  /** Row of their first token. */
  row: number;
  /** Number of sequences before them. */
  sample: number;
}

/** Spans one after the other. */
export function spansOf(shapes: readonly { count: number; tokens: number }[]): Span[] {
  let row = 0, sample = 0;
  return shapes.map(({ count, tokens }) => {
    const span = { count, tokens, row, sample };
    row += count * tokens;
    sample += count;
    return span;
  });
}

/** The same sequences' class tokens, as spans of one token each. */
export function classSpans(spans: readonly Span[]): Span[] {
  return spans.map(({ count, sample }) => ({ count, tokens: 1, row: sample, sample }));
}

/** Rows of all spans. */
export function rowsIn(spans: readonly Span[]): number {
  return spans.reduce((sum, { count, tokens }) => sum + count * tokens, 0);
}

/** A span's rows of packed rows [R, C], as [count, tokens, C]. */
export function rowsOf(packed: Tensor, { count, tokens, row }: Span): Tensor {
  const columns = packed.shape.at(-1)!;
  return packed.view([count, tokens, columns], row * columns);
}

/**
 * Whether packing works here: the adapter binds each span's rows, and class tokens, of matrices of a multiple of
 * `dim` columns, and all rows of the widest matrix at once.
 */
export function canPack(
  gpu: Gpu,
  spans: readonly Span[],
  dim: number,
  widest: number,
  precision: DType = "f32",
): boolean {
  // Gradients are f32 whatever the rest is; where parts of halves may begin, those of f32 may.
  return rowsIn(spans) * widest * 4 <= gpu.limits.maxStorageBufferBindingSize &&
    aligned(spans, dim, gpu.alignment, precision);
}

/** Whether spans, and their class tokens, begin at multiples of so many bytes; 256 suit every adapter. */
export function aligned(
  spans: readonly Span[],
  dim: number,
  bytes = 256,
  precision: DType = "f32",
): boolean {
  return spans.every(({ row, sample }) =>
    [row, sample].every((first) => first * dim * BYTES[precision] % bytes === 0)
  );
}
