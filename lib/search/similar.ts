/**
 * The pictures of a folder that are most similar to some.
 *
 * @module
 */
import { relative, sep } from "node:path";
import type { Dataset } from "../data/dataset.ts";
import { HatchlingError } from "../errors.ts";
import { encodeStream, type FeatureChoice } from "../embed/encode.ts";
import type { Session } from "../session.ts";
import type { RowStore } from "./store.ts";

/** A picture to search for. */
export interface Query {
  /** As it was named. */
  path: string;
  /** Its id, when it lies in the folder. */
  id?: string;
  /** Where its pixels are, when it lies elsewhere. */
  dataset?: Dataset;
  index: number;
  /** D numbers, of length 1. */
  feature: Float32Array;
}

/** A picture that was found. */
export interface Found {
  id: string;
  /** Cosine similarity. */
  similarity: number;
}

/**
 * Queries with their features: from the store for pictures of the folder, encoded for others.
 *
 * @throws {HatchlingError} When one is missing or no picture.
 */
export async function queriesOf(
  paths: readonly string[],
  folder: string,
  store: RowStore,
  session: Session,
  choice: FeatureChoice,
): Promise<Query[]> {
  const real = await Deno.realPath(folder);
  const queries: Query[] = [], outside: string[] = [];
  const inside = new Map<string, string>();
  for (const path of paths) {
    const id = await idIn(real, path);
    if (id !== undefined && store.meta(id)) {
      const reason = store.reason(id);
      if (reason !== undefined) throw noPicture(path, reason);
      inside.set(path, id);
    } else outside.push(path);
  }
  const rows = await store.rows(new Set(inside.values()));
  const others = await encodeOutside(outside, session, choice);
  for (const path of paths) {
    const id = inside.get(path);
    if (id === undefined) queries.push(others.shift()!);
    else queries.push({ path, id, index: 0, feature: new Float32Array(rows.get(id)!.buffer) });
  }
  return queries;
}

async function encodeOutside(
  paths: readonly string[],
  session: Session,
  choice: FeatureChoice,
): Promise<Query[]> {
  if (!paths.length) return [];
  const dataset = await session.files(paths, session.config.data.max_pixels);
  const queries: Query[] = [];
  const all = Uint32Array.from({ length: dataset.length }, (_, i) => i);
  for await (const { sound, rows } of encodeStream(session, dataset, all, choice, true)) {
    sound.forEach(({ index }, row) => {
      queries.push({ path: paths[index], dataset, index, feature: rows[row] });
    });
  }
  if (dataset.skipped.length) {
    const [{ file, reason }] = dataset.skipped;
    throw noPicture(file, reason);
  }
  return queries;
}

function noPicture(path: string, reason: string): HatchlingError {
  return new HatchlingError(
    `Expected a picture (PNG, JPEG, GIF, WebP) but found ${path}: ${
      reason.replace(`${path}: `, "")
    }`,
  );
}

/** The id of a path that lies in a folder. */
async function idIn(real: string, path: string): Promise<string | undefined> {
  const file = await Deno.realPath(path).catch(() => undefined);
  const below = file === undefined ? ".." : relative(real, file);
  if (below === "" || below === ".." || below.startsWith(`..${sep}`)) return;
  return below.split(sep).join("/");
}

/**
 * The k nearest of every query, exactly: all rows are read once, segment by segment.
 *
 * @returns For each query, the nearest first; equal ones in the order of their ids.
 */
export async function nearestIn(
  store: RowStore,
  queries: readonly Query[],
  k: number,
): Promise<Found[][]> {
  const best: Found[][] = queries.map(() => []);
  for await (const { ids, data } of store.read()) {
    const rows = new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
    queries.forEach(({ id: own, feature }, q) => {
      const found = best[q], dim = feature.length;
      ids.forEach((id, row) => {
        const similarity = dot(rows, row * dim, feature);
        const last = found.length === k ? found[k - 1] : undefined;
        if (id === own || last && before(last, { id, similarity })) return;
        let at = last ? k - 1 : found.length;
        for (; at > 0 && before({ id, similarity }, found[at - 1]); at--) found[at] = found[at - 1];
        found[at] = { id, similarity };
      });
    });
  }
  return best;
}

function before(a: Found, b: Found): boolean {
  return a.similarity > b.similarity || a.similarity === b.similarity && a.id < b.id;
}

/** In four sums side by side, which a processor adds at once. */
function dot(rows: Float32Array, from: number, feature: Float32Array): number {
  let a = 0, b = 0, c = 0, d = 0, i = 0;
  for (; i + 3 < feature.length; i += 4) {
    a += rows[from + i] * feature[i];
    b += rows[from + i + 1] * feature[i + 1];
    c += rows[from + i + 2] * feature[i + 2];
    d += rows[from + i + 3] * feature[i + 3];
  }
  for (; i < feature.length; i++) a += rows[from + i] * feature[i];
  return a + b + c + d;
}
