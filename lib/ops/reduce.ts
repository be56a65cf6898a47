/**
 * Sums of rows and columns in a fixed order.
 *
 * @module
 */
import columnCode from "../../kernels/column_sum.wgsl" with { type: "text" };
import rowCode from "../../kernels/row_sum.wgsl" with { type: "text" };
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu/mod.ts";
import { rowLaunch } from "./row_launch.ts";

const COLUMN_SUM = defineKernel("column_sum", columnCode);
const ROW_SUM = defineKernel("row_sum", rowCode);

/** Rows that one invocation adds up before partial sums are combined. */
export const CHUNK = 64;

/** Options of {@linkcode columnSum}. */
export interface ColumnSumOptions {
  /** Where to write [C]; a new tensor by default. */
  out?: Tensor;
  /** Add to what `out` holds. */
  accumulate?: boolean;
  /** First column; with `cols`, restricts the sum to a part of the columns. */
  offset?: number;
  /** Number of columns. */
  cols?: number;
  /** Factor on the sums, 1 by default. */
  scale?: number;
}

/** Σ over rows: x [R, C] → [C], in chunks of 64 rows from first to last, then over the chunks. */
export function columnSum(gpu: Gpu, x: Tensor, options: ColumnSumOptions = {}): Tensor {
  const stride = x.shape.at(-1) ?? 1;
  const { offset = 0, cols = stride - offset, accumulate = false, scale = 1 } = options;
  const rows = x.size / stride;
  const out = options.out ?? gpu.empty([cols], "column_sum");
  const chunks = Math.ceil(rows / CHUNK);
  const pass = (
    from: Tensor,
    to: Tensor,
    u32: { rows: number; stride: number; offset: number; chunk: number; chunks: number },
    last: boolean,
  ) =>
    gpu.dispatch(COLUMN_SUM, {
      tensors: [from, to],
      u32: [u32.rows, cols, u32.stride, u32.offset, u32.chunk, u32.chunks, +(last && accumulate)],
      f32: [last ? scale : 1],
      workgroups: grid(u32.chunks * cols, 64),
      flops: u32.rows * cols,
    });
  if (chunks === 1) {
    pass(x, out, { rows, stride, offset, chunk: rows, chunks: 1 }, true);
    return out;
  }
  const partial = gpu.empty([chunks, cols], "column_sum.partial");
  pass(x, partial, { rows, stride, offset, chunk: CHUNK, chunks }, false);
  pass(partial, out, { rows: chunks, stride: cols, offset: 0, chunk: chunks, chunks: 1 }, true);
  return out;
}

/** Σ over columns: x [R, C] → [R], times `scale`. */
export function rowSum(gpu: Gpu, x: Tensor, scale = 1): Tensor {
  const cols = x.shape.at(-1) ?? 1;
  const rows = x.size / cols;
  const out = gpu.empty([rows], "row_sum");
  gpu.dispatch(ROW_SUM, {
    ...rowLaunch(gpu, rows, cols),
    tensors: [x, out],
    u32: [rows, cols],
    f32: [scale],
    flops: x.size,
  });
  return out;
}
