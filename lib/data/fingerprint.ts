/**
 * Whether a data set is the one it was.
 *
 * @module
 */

import type { Dataset } from "./dataset.ts";
import { hex } from "../text.ts";

/**
 * A cheap hash by which a checkpoint notices that pictures were added or removed: of all ids and file
 * sizes, or of all ids where the data set is not made of files. Contents are not read.
 *
 * @param dataset A data set.
 * @returns SHA-256, 64 hexadecimal digits.
 *
 * @example
 * ```ts
 * import { datasetFingerprint } from "./fingerprint.ts";
 *
 * const picture = () => ({ width: 1, height: 1, data: new Uint8Array(4) });
 * const greys = { name: "greys", length: 2, largestPixels: 1, picture, id: String, skipped: [] };
 * const more = { ...greys, length: 3 };
 * console.assert(await datasetFingerprint(greys) !== await datasetFingerprint(more));
 * ```
 */
export async function datasetFingerprint(dataset: Dataset): Promise<string> {
  if (dataset.fingerprint) return await dataset.fingerprint();
  return await hashOf(Array.from({ length: dataset.length }, (_, i) => dataset.id(i)));
}

/**
 * SHA-256 of a list, in hexadecimal digits.
 *
 * @param list What JSON can hold.
 */
export async function hashOf(list: readonly unknown[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(list));
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
