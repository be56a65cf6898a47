/**
 * How many gallery rows are nearer to a query than the nearest right one, counted no further than matters.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { type FeatureArray, takeRows } from "./features.ts";
import { checkPair, CHUNK_BYTES, type NearestOptions } from "./nearest.ts";
import { productIn, uploadRows, wholeVec4s } from "./rows.ts";

/** Options of {@linkcode firstRanks}. */
export interface FirstRanksOptions extends NearestOptions {
  /** Ranks are counted up to here. */
  most: number;
}

/** Rows of the gallery that the queries left meet at a time; the first ones settle most queries. */
const FIRST = 256, COLUMNS = 1024;

/** Half the distance of float32 numbers at 1, the least normal one, and what sums should stay below. */
const ROUNDING = 2 ** -24, LEAST = 2 ** -126, MOST = 1e38;

/**
 * Of every query the number of gallery rows before its nearest right one, at most `most`: nearer ones, and equally near
 * ones of lower index; −1 where none would be right.
 *
 * A query is done as soon as it has met `most` nearer rows, so rows that lie near many queries come first: few
 * queries meet the whole gallery. The GPU's products only tell what is nearer beyond doubt; within their rounding, which
 * holds for sums in any order, float64 decides, so that copies of a picture are equally near on every adapter.
 *
 * @param queries [m, D].
 * @param gallery [n, D].
 * @param right The gallery rows that would be right for a query, ascending: few, as they are multiplied here.
 * @throws {HatchlingError} when shapes do not fit or features are not finite.
 */
export async function firstRanks(
  gpu: Gpu,
  queries: FeatureArray,
  gallery: FeatureArray,
  right: (query: number) => readonly number[],
  { most, exclude, chunkBytes = CHUNK_BYTES }: FirstRanksOptions,
): Promise<Int32Array> {
  const { n, dim } = checkPair(queries, gallery, exclude);
  const own = nearestRight(queries, gallery, right, exclude);
  const ranks = own.rows.map((row) => row < 0 ? -1 : 0);
  let left = [...ranks.keys()].filter((query) => ranks[query] === 0);
  const order = byMeanSimilarity(queries, left, gallery);
  const norms = [queries, gallery].map((features) => normsOf(features));
  const longest = norms[1].reduce((a, b) => Math.max(a, b), 0);
  const doubt = norms[0].map((norm) => {
    const size = norm * longest;
    return size < MOST ? 2 * (dim + 1) * (ROUNDING * size + LEAST) : Infinity;
  });

  const isBefore = (query: number, row: number): boolean => {
    const value = dot(queries.data, query * dim, gallery.data, row * dim, dim);
    const best = own.similarity[query];
    return value > best || (value === best && row < own.rows[query]);
  };
  if (!left.length) return ranks;
  const limit = Math.min(chunkBytes, gpu.limits.maxStorageBufferBindingSize) / 4;
  const width = Math.max(1, Math.min(COLUMNS, n, Math.floor(limit / wholeVec4s(dim))));
  const height = Math.max(1, Math.floor(limit / wholeVec4s(Math.max(width, dim))));
  const space = wholeVec4s(Math.min(height, left.length)) * wholeVec4s(width);
  const room = gpu.persistent([space], "similarities");
  // Counts, of some queries, the rows of the gallery that come before their right one.
  const meet = async (some: readonly number[], keys: Tensor, columns: Int32Array) => {
    const product = gpu.scope(() =>
      productIn(room, uploadRows(gpu, takeRows(queries, some).data, dim), keys)
    );
    const values = await product.read(), [stride] = keys.shape;
    some.forEach((query, r) => {
      const best = own.similarity[query], unsure = doubt[query], skip = exclude?.[query];
      for (let c = 0; c < columns.length && ranks[query] < most; c++) {
        const above = values[r * stride + c] - best;
        if (above < -unsure || columns[c] === skip) continue;
        if (above > unsure || isBefore(query, columns[c])) ranks[query]++; // NaN is neither
      }
    });
  };
  try {
    for (
      let from = 0, to = Math.min(FIRST, width);
      from < n && left.length;
      from = to, to += width
    ) {
      const columns = order.subarray(from, to);
      const keys = uploadRows(gpu, takeRows(gallery, columns).data, dim);
      try {
        for (let top = 0; top < left.length; top += height) {
          await meet(left.slice(top, top + height), keys, columns);
        }
      } finally {
        keys.destroy();
      }
      left = left.filter((query) => ranks[query] < most);
    }
  } finally {
    room.destroy();
  }
  return ranks;
}

/** Of every query the nearest of its right rows, the first of equal ones, or −1; and its similarity. */
function nearestRight(
  queries: FeatureArray,
  gallery: FeatureArray,
  right: (query: number) => readonly number[],
  exclude: ArrayLike<number> | undefined,
) {
  const [m, dim] = queries.shape;
  const rows = new Int32Array(m).fill(-1), similarity = new Float64Array(m).fill(-Infinity);
  for (let query = 0; query < m; query++) {
    for (const row of right(query)) {
      if (row === exclude?.[query]) continue;
      const value = dot(queries.data, query * dim, gallery.data, row * dim, dim);
      if (value > similarity[query]) [rows[query], similarity[query]] = [row, value];
    }
  }
  return { rows, similarity };
}

/** Rows of the gallery by their mean similarity to some queries, the largest first. */
function byMeanSimilarity(
  { data, shape: [, dim] }: FeatureArray,
  some: readonly number[],
  gallery: FeatureArray,
): Int32Array {
  const [n] = gallery.shape;
  const sum = new Float64Array(dim);
  for (const query of some) {
    for (let d = 0; d < dim; d++) sum[d] += data[query * dim + d];
  }
  const similarity = new Float64Array(n);
  for (let row = 0; row < n; row++) similarity[row] = dot(sum, 0, gallery.data, row * dim, dim);
  return Int32Array.from({ length: n }, (_, row) => row)
    .sort((a, b) => similarity[b] - similarity[a] || a - b);
}

function normsOf({ data, shape: [n, dim] }: FeatureArray): Float64Array {
  return Float64Array.from({ length: n }, (_, row) => {
    return Math.sqrt(dot(data, row * dim, data, row * dim, dim));
  });
}

/** In float64, summed in order. */
function dot(
  a: Float32Array | Float64Array,
  i: number,
  b: Float32Array,
  j: number,
  dim: number,
): number {
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += a[i + d] * b[j + d];
  return sum;
}
