/**
 * The built-in emoji as two files of a static page: their names as JSON, their pixels packed.
 *
 * @module
 */
import type { Dataset } from "../../lib/data/dataset.ts";

/** What is known beside the pixels. */
export interface PackedSet {
  /** Name of the set. */
  name: string;
  /** Ids in order. */
  ids: string[];
  /** Side of every picture. */
  side: number;
}

/**
 * Packs a set of square pictures of one size, three channels.
 *
 * @returns `emoji.json`, and `emoji.bin`: RGB, [n, side, side, 3], compressed by gzip.
 */
export async function packSet(
  dataset: Dataset,
  side: number,
): Promise<{ json: PackedSet; bin: Uint8Array<ArrayBuffer> }> {
  const area = side * side, rgb = new Uint8Array(3 * area * dataset.length);
  for (let i = 0; i < dataset.length; i++) {
    const { data } = await dataset.picture(i);
    for (let p = 0; p < area; p++) {
      rgb.set(data.subarray(4 * p, 4 * p + 3), 3 * (i * area + p));
    }
  }
  const ids = Array.from({ length: dataset.length }, (_, i) => dataset.id(i));
  const packed = new Blob([rgb]).stream().pipeThrough(new CompressionStream("gzip"));
  const bin = new Uint8Array(await new Response(packed).arrayBuffer());
  return { json: { name: dataset.name, ids, side }, bin };
}
