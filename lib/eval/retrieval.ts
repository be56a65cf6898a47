/**
 * Retrieval: is the right picture among the nearest ones?
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, Tensor } from "../gpu.ts";
import type { FeatureArray, Features } from "./features.ts";
import { firstRanks } from "./first_ranks.ts";
import { nearest, type NearestOptions, type Neighbors } from "./nearest.ts";

/** Share of queries answered right. */
export interface Recall {
  /** Queries whose nearest gallery row is right, in percent. */
  r1: number;
  /** Queries with a right row among the five nearest, in percent. */
  r5: number;
  /** Queries that count. */
  queries: number;
  /** Queries left out, since no gallery row would be right. */
  unanswerable: number;
}

/** Places of the list in which a right row is looked for. */
const MOST = 5;

/** Right rows per query, in the mean, up to which it is sooner to count what comes before them. */
const FEW = 8;

/**
 * Finds pictures of the same identity: google's emoji among twitter's, for instance. A query is answered
 * right when a row of its identity is found; queries whose identity the gallery lacks are left out.
 *
 * @param queries [m, D], L2-normalised.
 * @param queryIds [m], one identity per query.
 * @param gallery [n, D], L2-normalised.
 * @param galleryIds [n].
 * @throws {HatchlingError} when sizes do not fit or no query can be answered.
 */
export async function retrieval(
  gpu: Gpu,
  queries: Features,
  queryIds: ArrayLike<number>,
  gallery: Features,
  galleryIds: ArrayLike<number>,
  options: NearestOptions = {},
): Promise<Recall> {
  for (
    const [what, ids, rows] of [
      ["query", queryIds, queries.shape[0]],
      ["gallery", galleryIds, gallery.shape[0]],
    ] as const
  ) {
    if (ids.length !== rows) {
      throw new HatchlingError(`Expected ${rows} ${what} identities but found ${ids.length}`);
    }
  }
  const rows = rowsById(galleryIds), { exclude } = options;
  const right = (query: number) => rows.get(queryIds[query]) ?? [];
  let pairs = 0;
  for (let query = 0; query < queryIds.length; query++) pairs += right(query).length;
  if (pairs <= FEW * queryIds.length) {
    const [q, g] = [await arrayOf(queries), await arrayOf(gallery)];
    return recallOfRanks(await firstRanks(gpu, q, g, right, { ...options, most: MOST }));
  }
  const k = Math.min(MOST, gallery.shape[0] - (exclude ? 1 : 0));
  return recallOf(await nearest(gpu, queries, gallery, k, options), queryIds, galleryIds, exclude);
}

async function arrayOf(features: Features): Promise<FeatureArray> {
  if (!(features instanceof Tensor)) return features;
  return { data: await features.read(), shape: features.shape };
}

/** Rows of the gallery by their identity. */
function rowsById(ids: ArrayLike<number>): Map<number, number[]> {
  return Map.groupBy(Array.from({ length: ids.length }, (_, row) => row), (row) => ids[row]);
}

/**
 * As {@linkcode retrieval}, from neighbours that are known: they serve several kinds of identities.
 *
 * @param neighbors Of m queries; at least five each, or the whole gallery.
 * @param exclude What was excluded when they were found.
 * @throws {HatchlingError} When no query can be answered.
 */
export function recallOf(
  { indices, rows, k }: Neighbors,
  queryIds: ArrayLike<number>,
  galleryIds: ArrayLike<number>,
  exclude?: ArrayLike<number>,
): Recall {
  const members = rowsById(galleryIds);
  return recallOfRanks(Int32Array.from({ length: rows }, (_, row) => {
    const id = queryIds[row];
    const excluded = exclude ? exclude[row] : -1;
    const own = excluded >= 0 && galleryIds[excluded] === id ? 1 : 0;
    if ((members.get(id)?.length ?? 0) === own) return -1;
    const rank = indices.subarray(row * k, row * k + Math.min(MOST, k))
      .findIndex((i) => galleryIds[i] === id);
    return rank < 0 ? MOST : rank;
  }));
}

/** @param ranks Of every query, how many come before the first right one; −1 where none would be right. */
function recallOfRanks(ranks: Int32Array): Recall {
  let r1 = 0, r5 = 0, counted = 0;
  for (const rank of ranks) {
    if (rank < 0) continue;
    counted++;
    if (rank === 0) r1++;
    if (rank < MOST) r5++;
  }
  if (counted === 0) {
    throw new HatchlingError("Expected queries and gallery to share identities but found none");
  }
  return {
    r1: 100 * r1 / counted,
    r5: 100 * r5 / counted,
    queries: counted,
    unanswerable: ranks.length - counted,
  };
}

/**
 * Finds each picture from a view of it (a crop, flipped or recoloured): query i is answered right by
 * gallery row i alone.
 *
 * @param views [n, D], L2-normalised.
 * @param gallery [n, D], L2-normalised.
 * @throws {HatchlingError} when the sizes differ.
 */
export async function viewRetrieval(
  gpu: Gpu,
  views: Features,
  gallery: Features,
  options: NearestOptions = {},
): Promise<Recall> {
  if (views.shape[0] !== gallery.shape[0]) {
    throw new HatchlingError(
      `Expected one view per gallery row, ${gallery.shape[0]}, but found ${views.shape[0]}`,
    );
  }
  const ids = Int32Array.from({ length: gallery.shape[0] }, (_, i) => i);
  return await retrieval(gpu, views, ids, gallery, ids, options);
}
