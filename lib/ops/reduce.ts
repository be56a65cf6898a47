/**
 * Sums of rows and columns in a fixed order.
 *
 * @module
 */
import columnCode from "../../kernels/column_sum.wgsl" with { type: "text" };
import rowCode from "../../kernels/row_sum.wgsl" with { type: "text" };
import { defineKernel, type Gpu, type Tensor } from "../gpu.ts";
import { allowed, rowLaunch } from "./row_launch.ts";
import { BITS } from "./wgsl_parts.ts";

const COLUMN_SUM = defineKernel("column_sum", columnCode);
const ROW_SUM = defineKernel("row_sum", rowCode, { shared: [BITS] });

/** The kind of work of kernels that sum columns: lanes per column are its ways. */
export const COLUMNS = "columns";

/** Constants and workgroups of a kernel that sums columns, and how it cuts the rows. */
export interface ColumnLaunch {
  /** Lanes per column; whether an invocation takes four columns. */
  constants: { LANES: number; VEC: boolean };
  /** Rows of a chunk; each gives one row of sums. */
  chunk: number;
  /** Number of chunks. */
  chunks: number;
  /** Columns, chunks. */
  workgroups: [number, number, number];
}

/**
 * How to sum the columns of `rows` rows. One lane per column and long chunks on software adapters, where a
 * dispatch is dear; else 32 lanes and short chunks. `gpu.lanes` overrides the choice.
 *
 * @param vec Columns come in whole vec4s.
 */
export function columnLaunch(gpu: Gpu, rows: number, cols: number, vec: boolean): ColumnLaunch {
  const lanes = gpu.lanes === undefined
    ? allowed(gpu, COLUMNS, gpu.isSoftware ? [1, 32] : [32, 1])
    : Math.min(32, gpu.lanes);
  const chunk = lanes === 1 ? 4096 : 1024;
  const chunks = Math.ceil(rows / chunk);
  return {
    constants: { LANES: lanes, VEC: vec },
    chunk,
    chunks,
    workgroups: [Math.ceil(cols / (vec ? 32 : 8)), chunks, 1],
  };
}

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
  /** Columns, from one to before another, whose sums are 0 whatever they hold. */
  zeros?: readonly [from: number, end: number];
}

/** Σ over rows: x [R, C] → [C], in chunks of rows from first to last, then over the chunks. */
export function columnSum(gpu: Gpu, x: Tensor, options: ColumnSumOptions = {}): Tensor {
  const stride = x.shape.at(-1) ?? 1;
  const { offset = 0, cols = stride - offset, accumulate = false, scale = 1 } = options;
  const { zeros = [0, 0] } = options;
  const rows = x.size / stride;
  const out = options.out ?? gpu.empty([cols], "column_sum");
  const vec = [cols, stride, offset, ...zeros].every((n) => n % 4 === 0);
  const { constants, chunk, chunks, workgroups } = columnLaunch(gpu, rows, cols, vec);
  const last = chunks === 1;
  const to = last ? out : gpu.empty([chunks, cols], "column_sum.partial");
  gpu.dispatch(COLUMN_SUM, {
    constants,
    bindings: { x, x2: undefined, out: to, out2: undefined },
    params: {
      rows,
      cols,
      stride,
      offset,
      chunk,
      accumulate: +(last && accumulate),
      scale: last ? scale : 1,
      zero_from: zeros[0],
      zero_end: zeros[1],
    },
    workgroups,
    flops: rows * cols,
  });
  return last ? out : columnSum(gpu, to, { out, accumulate, scale, zeros });
}

/** Where a sum goes. */
export interface Into {
  out: Tensor;
  accumulate: boolean;
}

/** Σ over the rows of two tensors [R, C], in one dispatch where R is one chunk. */
export function columnSums(
  gpu: Gpu,
  [x, x2]: readonly [Tensor, Tensor],
  [a, b]: readonly [Into, Into],
): void {
  const cols = x.shape.at(-1)!, rows = x.size / cols;
  const { constants, chunk, chunks, workgroups } = columnLaunch(gpu, rows, cols, cols % 4 === 0);
  if (chunks > 1) {
    columnSum(gpu, x, a);
    columnSum(gpu, x2, b);
    return;
  }
  gpu.dispatch(COLUMN_SUM, {
    constants: { ...constants, PAIR: true },
    bindings: { x, x2, out: a.out, out2: b.out },
    params: {
      rows,
      cols,
      stride: cols,
      offset: 0,
      chunk,
      accumulate: +a.accumulate + 2 * +b.accumulate,
      scale: 1,
      zero_from: 0,
      zero_end: 0,
    },
    workgroups: [workgroups[0], 1, 2],
    flops: 2 * rows * cols,
  });
}

/** Elements that one sum takes, far from the limit on workgroups. */
const SLICE = 2 ** 20;

/** out += x, of any shapes of as many elements. */
export function addTo(gpu: Gpu, out: Tensor, x: Tensor): void {
  for (let start = 0; start < x.size; start += SLICE) {
    const n = Math.min(SLICE, x.size - start);
    columnSum(gpu, x.view([1, n], start), { out: out.view([n], start), accumulate: true });
  }
}

/** Options of {@linkcode rowSum}. */
export interface RowSumOptions {
  /** Where to write [R]; a new tensor by default. */
  out?: Tensor;
  /** Factor on the sums, 1 by default. */
  scale?: number;
  /** Add to what `out` holds. */
  accumulate?: boolean;
}

/** Σ over columns: x [R, C] → [R], times `scale`; NaN where an element is not finite. */
export function rowSum(gpu: Gpu, x: Tensor, options: RowSumOptions = {}): Tensor {
  const cols = x.shape.at(-1) ?? 1;
  const rows = x.size / cols;
  const { out = gpu.empty([rows], "row_sum"), scale = 1, accumulate = false } = options;
  gpu.dispatch(ROW_SUM, {
    ...rowLaunch(gpu, rows, cols),
    bindings: { x, out },
    params: { rows, cols, scale, accumulate: +accumulate },
    flops: x.size,
  });
  return out;
}
