/**
 * Which plain pictures may be copies of one another: those of nearly the same colour.
 *
 * @module
 */
import {
  COLOR_RANGE,
  colorDistance,
  LEAST_CONTRAST,
  toneOf,
  WHOLE,
  type Window,
} from "./compare.ts";

/** Contrast below which a picture has no shape that a hash could tell, levels. */
export const PLAIN_CONTRAST = 2;

/** Mean colours of the pictures with little contrast, in cubes. */
export class ColorTable {
  readonly #signatures: readonly Uint8Array[];
  /** Side of a cube: what is alike lies in the same one or beside it. */
  readonly #side: number;
  readonly #cubes = new Map<string, number[]>();

  /**
   * Sorts the plain ones among n pictures into cubes.
   *
   * @param threshold Similarity from which pictures are taken for copies.
   */
  constructor(signatures: readonly Uint8Array[], threshold: number) {
    this.#signatures = signatures;
    // Between two pictures that no hash tells, colours count at least by this share.
    const share = 1 - PLAIN_CONTRAST / LEAST_CONTRAST;
    this.#side = Math.max(1, (1 - threshold) * COLOR_RANGE / share);
    signatures.forEach((signature, i) => {
      if (toneOf(signature).contrast >= LEAST_CONTRAST) return;
      const key = this.#cube(signature).join();
      const cube = this.#cubes.get(key);
      if (cube) cube.push(i);
      else this.#cubes.set(key, [i]);
    });
  }

  /**
   * Plain pictures of nearly the colour of another plain one.
   *
   * @param i The picture's index.
   * @param most How many at most, the nearest first.
   */
  near(i: number, most: number): { index: number; part: Window }[] {
    const { mean, contrast } = toneOf(this.#signatures[i]);
    if (contrast >= LEAST_CONTRAST) return [];
    const [y, b, r] = this.#cube(this.#signatures[i]);
    const found: { index: number; part: Window; distance: number }[] = [];
    for (let at = 0; at < 27; at++) {
      const key = [y + at % 3 - 1, b + Math.floor(at / 3) % 3 - 1, r + Math.floor(at / 9) - 1];
      for (const index of this.#cubes.get(key.join()) ?? []) {
        if (index === i) continue;
        const distance = colorDistance(mean, toneOf(this.#signatures[index]).mean);
        if (distance <= this.#side) found.push({ index, part: WHOLE, distance });
      }
    }
    found.sort((a, b) => a.distance - b.distance || a.index - b.index);
    return found.slice(0, most);
  }

  #cube(signature: Uint8Array): number[] {
    return toneOf(signature).mean.map((x) => Math.floor(x / this.#side));
  }
}
