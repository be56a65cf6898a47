/**
 * Retrieval: is the right picture among the nearest ones?
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import type { Features } from "./features.ts";
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
  const k = Math.min(5, gallery.shape[0] - (options.exclude ? 1 : 0));
  const neighbors = await nearest(gpu, queries, gallery, k, options);
  return recallOf(neighbors, queryIds, galleryIds, options.exclude);
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
  const members = new Map<number, number>(); // identity → rows of the gallery
  for (let i = 0; i < galleryIds.length; i++) {
    members.set(galleryIds[i], (members.get(galleryIds[i]) ?? 0) + 1);
  }
  let r1 = 0, r5 = 0, counted = 0;
  for (let row = 0; row < rows; row++) {
    const id = queryIds[row];
    const excluded = exclude ? exclude[row] : -1;
    const own = excluded >= 0 && galleryIds[excluded] === id ? 1 : 0;
    if ((members.get(id) ?? 0) - own === 0) continue;
    counted++;
    const rank = indices.subarray(row * k, row * k + Math.min(5, k))
      .findIndex((i) => galleryIds[i] === id);
    if (rank === 0) r1++;
    if (rank >= 0) r5++;
  }
  if (counted === 0) {
    throw new HatchlingError("Expected queries and gallery to share identities but found none");
  }
  return {
    r1: 100 * r1 / counted,
    r5: 100 * r5 / counted,
    queries: counted,
    unanswerable: rows - counted,
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
