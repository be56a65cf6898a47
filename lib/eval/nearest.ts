/**
 * Nearest neighbours by dot product: similarities on the GPU, selection on the CPU.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, Tensor } from "../gpu.ts";
import { checkRows, type FeatureArray, type Features } from "./features.ts";
import { productIn, uploadRows, wholeVec4s } from "./rows.ts";
import { type Neighbors, TopK } from "./topk.ts";

export type { Neighbors } from "./topk.ts";

/** Options of {@linkcode nearest}. */
export interface NearestOptions {
  /** Per query one gallery index that must not be found, or −1; for leave-one-out its own. */
  exclude?: ArrayLike<number>;
  /** Bytes that one piece of features or similarities may take. Default 16 MiB, of which reading keeps its buffers. */
  chunkBytes?: number;
}

/** Default of {@linkcode NearestOptions.chunkBytes}. */
export const CHUNK_BYTES = 16 * 2 ** 20;

/** Rows per piece are multiples of this, so that a view starts at a multiple of 256 bytes. */
const ROW_STEP = 64;

/** Features that meet themselves stay on the GPU up to this size; larger ones are uploaded in pieces, again and again. */
const HELD_BYTES = 64 * 2 ** 20;

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
      tensor: uploadRows(gpu, features.data.subarray(start * dim, (start + rows) * dim), dim),
      free: true,
    };
}

/**
 * Checks queries [m, D], a gallery [n, D] and what is excluded, and gives the sizes.
 *
 * @throws {HatchlingError} when they do not fit or features are not finite.
 */
export function checkPair(
  queries: Features,
  gallery: Features,
  exclude: ArrayLike<number> | undefined,
): { m: number; n: number; dim: number } {
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
  return { m, n, dim };
}

/**
 * The k gallery rows with the largest dot product with each query. Normalise the rows first
 * ({@linkcode l2Normalize}) for cosine similarity. Memory on the GPU stays below three pieces. Where queries and
 * gallery are the same array, every pair is multiplied once, and up to 64 MiB of them stay there besides.
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
  const { exclude, chunkBytes = CHUNK_BYTES } = options;
  const { m, n, dim } = checkPair(queries, gallery, exclude);
  const most = exclude ? n - 1 : n;
  if (!Number.isInteger(k) || k < 1 || k > most) {
    throw new HatchlingError(
      `Expected k from 1 to ${most}, the gallery's usable rows, but found ${k}: lower k`,
    );
  }
  const limit = chunkBytes / Float32Array.BYTES_PER_ELEMENT;
  const best = new TopK(m, k, exclude);
  if (queries === gallery && !(queries instanceof Tensor)) {
    const step = rowsPerPiece(n, Math.min(limit / dim, Math.sqrt(limit), OWN_ROWS));
    await meetOwn(gpu, queries, best, {
      step,
      together: Math.max(1, Math.floor(limit / step ** 2)),
    });
    return best.finish();
  }
  const width = rowsPerPiece(n, Math.min(limit / dim, limit / ROW_STEP));
  const height = rowsPerPiece(m, Math.min(limit / dim, limit / width));
  const room = gpu.persistent([wholeVec4s(height) * wholeVec4s(width)], "similarities");
  try {
    for (let left = 0; left < n; left += width) {
      const columns = Math.min(width, n - left);
      const keys = piece(gpu, gallery, left, columns);
      try {
        for (let top = 0; top < m; top += height) {
          const rows = Math.min(height, m - top);
          const product = gpu.scope(() =>
            productIn(room, piece(gpu, queries, top, rows).tensor, keys.tensor)
          );
          const place = { row: top, column: left, columns, stride: product.shape[1] };
          best.push(await product.read(), rows, place);
        }
      } finally {
        if (keys.free) keys.tensor.destroy();
      }
    }
  } finally {
    room.destroy();
  }
  return best.finish();
}

/**
 * Rows among themselves: of two pieces their product serves both, by its rows and by its columns.
 *
 * @param together Products that are read at a time, as each wait costs some milliseconds.
 */
async function meetOwn(
  gpu: Gpu,
  features: FeatureArray,
  best: TopK,
  { step, together }: { step: number; together: number },
): Promise<void> {
  const [n, dim] = features.shape, pieces = Math.ceil(n / step);
  const upload = (index: number) =>
    piece(gpu, features, index * step, Math.min(step, n - index * step)).tensor;
  const some = Math.min(together, pieces), space = wholeVec4s(step) ** 2;
  const room = gpu.persistent([some * space], "similarities");
  const held = 4 * n * dim <= HELD_BYTES ? Array.from({ length: pieces }, (_, i) => upload(i)) : [];
  let keys: Tensor | undefined;
  try {
    for (let left = 0; left < pieces; left++) {
      const right = keys = held[left] ?? upload(left);
      const columns = Math.min(step, n - left * step);
      for (let from = left; from < pieces; from += some) {
        const count = Math.min(some, pieces - from);
        const products = gpu.scope(() =>
          Array.from(
            { length: count },
            (_, i) => productIn(room, held[from + i] ?? upload(from + i), right, i * space),
          )
        );
        // Rows of a piece meet those before them here, themselves, then those behind: in ascending order.
        (await gpu.read(products)).forEach((values, i) => {
          const row = (from + i) * step, rows = Math.min(step, n - row);
          const place = { row, column: left * step, columns, stride: products[i].shape[1] };
          best.push(values, rows, place);
          if (from + i !== left) best.pushTransposed(values, rows, place);
        });
      }
      if (!held.length) right.destroy();
    }
  } finally {
    for (const tensor of [room, keys, ...held]) tensor?.destroy();
  }
}
