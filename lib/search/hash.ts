/**
 * Which pictures may be copies of one another: 64-bit hashes of their coarsest shapes, and what is near.
 *
 * @module
 */
import { PLAIN_CONTRAST } from "./colors.ts";
import { GRID, sample, toneOf, WHOLE, type Window } from "./compare.ts";
import { LUMA } from "./signature.ts";

/** Frequencies per axis. */
const LOW = 8;

/** Bits that may differ: with four bands of 16, one of them then differs in at most two. */
const MOST_BITS = 11;

/** What a crop may have taken away at a side; hashes bear a few hundredths more or less. */
const CUT = 0.06;

/** Parts of a picture that a copy may be: all of it, or less at any of the four sides. */
const PARTS: readonly Window[] = Array.from({ length: 16 }, (_, i) => {
  const cut = (bit: number) => i & bit ? CUT : 0;
  return [cut(1), cut(2), 1 - cut(4), 1 - cut(8)] as const;
});

/** Cosines of the DCT-II, [LOW, GRID]. */
const COSINES = Float32Array.from({ length: LOW * GRID }, (_, at) => {
  const k = Math.floor(at / GRID), x = at % GRID;
  return Math.cos(Math.PI / GRID * (x + 0.5) * k);
});

/** Hash of a part of a picture: which of the lowest DCT coefficients lie above their median, two words. */
export function hashOf(signature: Uint8Array, part: Window): [number, number] {
  const luma = sample(signature, 0, LUMA, part, GRID);
  const rows = new Float32Array(GRID * LOW), low = new Float32Array(LOW * LOW);
  for (let y = 0; y < GRID; y++) {
    for (let k = 0; k < LOW; k++) {
      let sum = 0;
      for (let x = 0; x < GRID; x++) sum += luma[y * GRID + x] * COSINES[k * GRID + x];
      rows[y * LOW + k] = sum;
    }
  }
  for (let j = 0; j < LOW; j++) {
    for (let k = 0; k < LOW; k++) {
      let sum = 0;
      for (let y = 0; y < GRID; y++) sum += rows[y * LOW + k] * COSINES[j * GRID + y];
      low[j * LOW + k] = sum;
    }
  }
  low[0] = 0; // the mean says how bright a picture is, no more
  const median = low.toSorted()[LOW * LOW / 2];
  const words: [number, number] = [0, 0];
  low.forEach((value, i) => {
    if (value > median) words[i >> 5] |= 1 << (i & 31);
  });
  return words;
}

/** The changes of at most two bits of a band. */
const FLIPS = [0];
for (let a = 0; a < 16; a++) {
  FLIPS.push(1 << a);
  for (let b = 0; b < a; b++) FLIPS.push(1 << a | 1 << b);
}

/** Bits that are set. */
function bits(word: number): number {
  word -= word >>> 1 & 0x55555555;
  word = (word & 0x33333333) + (word >>> 2 & 0x33333333);
  return Math.imul(word + (word >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** A band of a hash. */
function band(words: ArrayLike<number>, at: number, b: number): number {
  return words[at + (b >> 1)] >>> 16 * (b & 1) & 0xffff;
}

/** Whether a picture has a shape: in the hash of another one there is nothing but noise. */
function hasShape(signature: Uint8Array): boolean {
  return toneOf(signature).contrast >= PLAIN_CONTRAST;
}

/** Hashes of whole pictures that have a shape, found by bands (multi-index hashing, Norouzi et al. 2012). */
export class HashTable {
  readonly #words: Int32Array;
  readonly #starts: Uint32Array[];
  readonly #entries: Uint32Array[];

  /** Hashes n pictures. */
  constructor(signatures: readonly Uint8Array[]) {
    const n = signatures.length;
    this.#words = new Int32Array(2 * n);
    const shaped: number[] = [];
    signatures.forEach((signature, i) => {
      if (!hasShape(signature)) return;
      shaped.push(i);
      this.#words.set(hashOf(signature, WHOLE), 2 * i);
    });
    this.#starts = [];
    this.#entries = [];
    for (let b = 0; b < 4; b++) {
      const starts = new Uint32Array(2 ** 16 + 1), entries = new Uint32Array(shaped.length);
      for (const i of shaped) starts[band(this.#words, 2 * i, b) + 1]++;
      for (let k = 0; k < 2 ** 16; k++) starts[k + 1] += starts[k];
      const next = starts.slice();
      for (const i of shaped) entries[next[band(this.#words, 2 * i, b)]++] = i;
      this.#starts.push(starts);
      this.#entries.push(entries);
    }
  }

  /**
   * Pictures whose whole may be a picture, or a part of it.
   *
   * @param i The picture's index.
   * @param signature Its signature, or that of its mirror image.
   * @param most How many at most, the nearest first.
   */
  near(i: number, signature: Uint8Array, most: number): { index: number; part: Window }[] {
    const found: { index: number; part: Window; distance: number }[] = [];
    if (!hasShape(signature)) return found;
    const best = new Map<number, number>(); // place in `found`
    for (const part of PARTS) {
      const words = hashOf(signature, part);
      for (let b = 0; b < 4; b++) {
        const key = band(words, 0, b), starts = this.#starts[b], entries = this.#entries[b];
        for (const flip of FLIPS) {
          const bucket = key ^ flip;
          for (let e = starts[bucket], end = starts[bucket + 1]; e < end; e++) {
            const index = entries[e];
            if (index === i) continue;
            const distance = bits(words[0] ^ this.#words[2 * index]) +
              bits(words[1] ^ this.#words[2 * index + 1]);
            if (distance > MOST_BITS) continue;
            const place = best.get(index);
            if (place === undefined) {
              best.set(index, found.length);
              found.push({ index, part, distance });
            } else if (distance < found[place].distance) {
              found[place] = { index, part, distance };
            }
          }
        }
      }
    }
    if (found.length > most) {
      found.sort((a, b) => a.distance - b.distance || a.index - b.index);
      found.length = most;
    }
    return found;
  }
}
