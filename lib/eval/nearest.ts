/**
 * Nearest neighbours by dot product: similarities on the GPU, selection on the CPU.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, Tensor } from "../gpu.ts";
import { matmul } from "../ops/matmul.ts";
import { checkRows, type FeatureArray, type Features } from "./features.ts";
import { type Neighbors, TopK } from "./topk.ts";

export type { Neighbors } from "./topk.ts";

/** Options of {@linkcode nearest}. */
export interface NearestOptions {
  /** Per query one gallery index that must not be found, or −1; for leave-one-out its own. */
  exclude?: ArrayLike<number>;
  /** Bytes that one piece of features or similarities may take. Default 64 MiB. */
  chunkBytes?: number;
}

/** Rows per piece are multiples of this, so that a view starts at a multiple of 256 bytes. */
const ROW_STEP = 64;

/** Rows per piece where features meet themselves: the smaller, the more of the products are made once, not twice. */
const OWN_ROWS = 1024;

function rowsPerPiece(rows: number, limit: number): number {
  return Math.min(rows, Math.max(ROW_STEP, Math.floor(limit / ROW_STEP) * ROW_STEP));
}

/** Rows of the features as a tensor; `free` says whether the caller has to destroy it. */
function piece(gpu: Gpu, features: Features, start: number, rows: number) {
  const dim = features.shape[1];
  return features instanceof Tensor
    ? { tensor: features.view([rows, dim], start * dim), free: false }
    : {
      tensor: gpu.tensor(features.data.subarray(start * dim, (start + rows) * dim), [rows, dim]),
      free: true,
    };
}

/**
 * The k gallery rows with the largest dot product with each query. Normalise the rows first
 * ({@linkcode l2Normalize}) for cosine similarity. Memory on the GPU stays below three pieces. Where queries and
 * gallery are the same array, every pair is multiplied once.
 *
 * @param queries [m, D].
 * @param gallery [n, D].
 * @param k 1 to n, or to n − 1 when indices are excluded.
 * @throws {HatchlingError} when shapes do not fit, k is out of range or features are not finite.
 *
 * @category Evaluation
 */
export async function nearest(
  gpu: Gpu,
  queries: Features,
  gallery: Features,
  k: number,
  options: NearestOptions = {},
): Promise<Neighbors> {
  const { exclude, chunkBytes = 64 * 2 ** 20 } = options;
  const { rows: m, dim } = checkRows(queries, "queries");
  const { rows: n, dim: galleryDim } = checkRows(gallery, "gallery");
  if (dim !== galleryDim) {
    throw new HatchlingError(
      `Expected gallery [n, ${dim}] as the queries but found D ${galleryDim}`,
    );
  }
  if (exclude && exclude.length !== m) {
    throw new HatchlingError(`Expected ${m} excluded indices but found ${exclude.length}`);
  }
  const most = exclude ? n - 1 : n;
  if (!Number.isInteger(k) || k < 1 || k > most) {
    throw new HatchlingError(
      `Expected k from 1 to ${most}, the gallery's usable rows, but found ${k}: lower k`,
    );
  }
  const limit = chunkBytes / Float32Array.BYTES_PER_ELEMENT;
  if (queries === gallery && !(queries instanceof Tensor)) {
    const step = rowsPerPiece(n, Math.min(limit / dim, Math.sqrt(limit), OWN_ROWS));
    return await nearestOwn(gpu, queries, k, step, exclude);
  }
  const width = rowsPerPiece(n, Math.min(limit / dim, limit / ROW_STEP));
  const height = rowsPerPiece(m, Math.min(limit / dim, limit / width));
  const best = new TopK(m, k);
  for (let left = 0; left < n; left += width) {
    const columns = Math.min(width, n - left);
    const keys = piece(gpu, gallery, left, columns);
    try {
      for (let top = 0; top < m; top += height) {
        const rows = Math.min(height, m - top);
        const values = await similarities(gpu, piece(gpu, queries, top, rows), keys.tensor);
        for (let row = 0; row < rows; row++) {
          const line = values.subarray(row * columns, (row + 1) * columns);
          best.push(top + row, line, left, exclude ? exclude[top + row] : -1);
        }
      }
    } finally {
      if (keys.free) keys.tensor.destroy();
    }
  }
  return best.finish();
}

/** Rows among themselves: of two pieces their product serves both, by its rows and by its columns. */
async function nearestOwn(
  gpu: Gpu,
  features: FeatureArray,
  k: number,
  step: number,
  exclude: ArrayLike<number> | undefined,
): Promise<Neighbors> {
  const [n] = features.shape;
  const best = new TopK(n, k);
  const push = (row: number, line: Float32Array, first: number) =>
    best.push(row, line, first, exclude ? exclude[row] : -1);
  for (let left = 0; left < n; left += step) {
    const columns = Math.min(step, n - left);
    const keys = piece(gpu, features, left, columns);
    try {
      for (let top = left; top < n; top += step) {
        const rows = Math.min(step, n - top);
        const values = await similarities(gpu, piece(gpu, features, top, rows), keys.tensor);
        // Rows of a piece meet those before them here, themselves, then those behind: in ascending order.
        for (let row = 0; row < rows; row++) {
          push(top + row, values.subarray(row * columns, (row + 1) * columns), left);
        }
        if (top === left) continue;
        const column = new Float32Array(rows);
        for (let c = 0; c < columns; c++) {
          for (let row = 0; row < rows; row++) column[row] = values[row * columns + c];
          push(left + c, column, top);
        }
      }
    } finally {
      keys.tensor.destroy();
    }
  }
  return best.finish();
}

async function similarities(
  gpu: Gpu,
  queries: { tensor: Tensor; free: boolean },
  gallery: Tensor,
): Promise<Float32Array> {
  const product = matmul(gpu, queries.tensor, gallery, { transB: true });
  try {
    return await product.read();
  } finally {
    product.destroy();
    if (queries.free) queries.tensor.destroy();
  }
}
