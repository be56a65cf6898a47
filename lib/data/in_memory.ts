/**
 * Decoded pictures as a data set.
 *
 * @module
 */
import type { Dataset } from "./dataset.ts";
import type { Picture } from "./image.ts";

/**
 * Pictures in memory, for what takes a data set.
 *
 * @param pictures At least one, all of as many channels.
 * @param id A stable name of each. Default: its index.
 */
export function inMemory(
  name: string,
  channels: number,
  pictures: readonly Picture[],
  id: (i: number) => string = String,
): Dataset {
  return {
    name,
    length: pictures.length,
    largestPixels: Math.max(...pictures.map(({ width, height }) => width * height)),
    channels,
    picture: (i) => pictures[i],
    id,
    skipped: [],
  };
}
