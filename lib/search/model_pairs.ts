/**
 * Pairs of pictures that a model finds similar.
 *
 * @module
 */
import type { Listing } from "../data/files.ts";
import { nearest } from "../eval/nearest.ts";
import { type Readout, readoutDim } from "../eval/readout.ts";
import type { Session } from "../session.ts";
import { featuresOf } from "./features.ts";
import type { SignedPicture } from "./sign.ts";

/** Neighbours of a picture that are compared with it by their pixels. */
const NEIGHBORS = 8;

/** Cosine similarity from which that is worth it. */
const LEAST = 0.8;

/** What is compared, whatever else is read out: copies have the same things in the same places. */
export const COMPARED: Readout = { feature: "grid" };

/** What {@linkcode modelPairs} finds. */
export interface ModelPairs {
  /** Each picture with its nearest ones, by their indices. */
  pairs: [number, number][];
  /** Pictures that were encoded now. */
  encoded: number;
  /** What the user should know of the cache. */
  remarks: string[];
}

/** Pairs of pictures that look alike in the same places. */
export async function modelPairs(
  folder: string,
  listing: Listing,
  session: Session,
  pictures: readonly SignedPicture[],
): Promise<ModelPairs> {
  const { store, encoded } = await featuresOf(folder, listing, session, { readout: COMPARED });
  const places = new Map(pictures.map(({ id }, i) => [id, i]));
  const dim = readoutDim(COMPARED, session.config.model.dim);
  const all = new Float32Array(pictures.length * dim), owners = new Int32Array(pictures.length);
  let n = 0;
  for await (const { ids, data } of store.read()) {
    const rows = new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
    ids.forEach((id, row) => {
      const place = places.get(id);
      if (place === undefined) return;
      all.set(rows.subarray(row * dim, (row + 1) * dim), n * dim);
      owners[n++] = place;
    });
  }
  const pairs: [number, number][] = [];
  const { remarks } = store;
  if (n < 2) return { pairs, encoded, remarks };
  const features = { data: all.subarray(0, n * dim), shape: [n, dim] };
  const { gpu } = await session.gpu();
  const k = Math.min(NEIGHBORS, n - 1);
  const exclude = Int32Array.from({ length: n }, (_, i) => i);
  const { indices, similarity } = await nearest(gpu, features, features, k, { exclude });
  indices.forEach((other, at) => {
    const own = Math.floor(at / k);
    if (similarity[at] >= LEAST) pairs.push([owners[own], owners[other]]);
  });
  return { pairs, encoded, remarks };
}
