/**
 * Counter-based random numbers: every draw is a pure function of its address, so (seed, epoch, image,
 * view) fixes a crop and its colours whatever the batch size or the number of workers.
 *
 * Philox4x32-10 of Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.
 *
 * @module
 */

import { HatchlingError } from "./errors.ts";

/** High 32 bits of the product of two u32, by 16-bit halves: every partial sum stays below 2^32. */
function mulhi(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const low = Math.imul(a0, b0) >>> 0;
  const mid = (Math.imul(a1, b0) >>> 0) + (low >>> 16);
  const mid2 = (Math.imul(a0, b1) >>> 0) + (mid & 0xffff);
  return ((Math.imul(a1, b1) >>> 0) + (mid >>> 16) + (mid2 >>> 16)) >>> 0;
}

/**
 * Philox4x32-10: ten rounds of a keyed bijection of 128-bit counters (Salmon et al. 2011, table 2 for
 * the constants).
 *
 * @param counter Four u32.
 * @param key Two u32.
 * @returns Four random u32.
 *
 * @example
 * ```ts
 * import { philox } from "./rng.ts";
 *
 * console.assert(philox([0, 0, 0, 0], [0, 0])[0] === 0x6627e8d5);
 * ```
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): Uint32Array {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const hi0 = mulhi(0xd2511f53, c0), lo0 = Math.imul(0xd2511f53, c0);
    const hi1 = mulhi(0xcd9e8d57, c2), lo1 = Math.imul(0xcd9e8d57, c2);
    c0 = hi1 ^ c1 ^ k0;
    c1 = lo1;
    c2 = hi0 ^ c3 ^ k1;
    c3 = lo0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  return Uint32Array.of(c0, c1, c2, c3);
}

/** Largest block number; the one above it is kept for deriving keys of long stream addresses. */
const MAX_BLOCK = 0xfffffffe;

/**
 * A sequence of random numbers at the address (seed, ...stream). The same address gives the same
 * sequence on any machine (`normal()` relies on `Math.log` and `Math.cos`, which agree between all
 * builds of V8 and may differ in the last bit in other engines). Different addresses, of different
 * length too, give independent sequences of up to 2^34 draws.
 *
 * @example
 * ```ts
 * import { Rng } from "@hatchling/hatchling/augmentation";
 *
 * const [seed, epoch, image, view] = [42, 0, 17, 1];
 * const rng = new Rng(seed, epoch, image, view);
 * const again = new Rng(seed, epoch, image, view);
 * console.assert(rng.uniform(0.4, 1) === again.uniform(0.4, 1));
 * ```
 */
export class Rng {
  readonly #key: readonly [number, number];
  readonly #address: readonly [number, number, number];
  #block = 0;
  #used = 4; // words of #words already handed out
  #words: Uint32Array = new Uint32Array(4);
  #spare = NaN; // second number of a Box-Muller pair

  /**
   * Starts the sequence at an address.
   *
   * @param seed Integer in [0, 2^53).
   * @param stream Integers in [0, 2^32), for example epoch, image, view. Up to three are free; each
   * further three cost one more block at construction.
   * @throws {HatchlingError} when a number is out of its range.
   */
  constructor(seed: number, ...stream: number[]) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new HatchlingError(
        `Expected a seed that is an integer from 0 to 2^53 - 1 but found ${seed}: choose another seed`,
      );
    }
    for (const word of stream) {
      if (!Number.isInteger(word) || word < 0 || word > 0xffffffff) {
        throw new HatchlingError(
          `Expected stream numbers that are integers from 0 to 2^32 - 1 but found ${word} in ` +
            `Rng(${[seed, ...stream].join(", ")})`,
        );
      }
    }
    // The seed takes 53 of the key's 64 bits; the length of the address goes above it, so that
    // Rng(s, 1) and Rng(s, 1, 0) are different sequences.
    const high = Math.floor(seed / 2 ** 32) | ((stream.length & 0xff) << 24);
    let key: [number, number] = [seed >>> 0, high >>> 0];
    let at = 0;
    for (; stream.length - at > 3; at += 3) {
      const derived = philox([0xffffffff, stream[at], stream[at + 1], stream[at + 2]], key);
      key = [derived[0], derived[1]];
    }
    this.#key = key;
    this.#address = [stream[at] ?? 0, stream[at + 1] ?? 0, stream[at + 2] ?? 0];
  }

  /** The next 32 random bits, an integer in [0, 2^32). */
  u32(): number {
    if (this.#used === 4) {
      if (this.#block > MAX_BLOCK) {
        throw new HatchlingError("Expected at most 2^34 draws of one Rng");
      }
      this.#words = philox([this.#block++, ...this.#address], this.#key);
      this.#used = 0;
    }
    return this.#words[this.#used++];
  }

  /**
   * Uniform number in [a, b) on a grid of 2^32 steps; takes one draw.
   *
   * @param a Lower end, included.
   * @param b Upper end, excluded; when it equals `a`, the result is `a`.
   */
  uniform(a = 0, b = 1): number {
    return a + (b - a) * (this.u32() / 2 ** 32);
  }

  /**
   * Uniform integer in [0, n), without bias: draws beyond the last whole multiple of n are rejected.
   *
   * @param n Integer from 1 to 2^32.
   * @throws {HatchlingError} when n is out of its range.
   */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new HatchlingError(
        `Expected n in Rng.int(n) to be an integer in [1, 2^32], found ${n}`,
      );
    }
    const end = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const draw = this.u32();
      if (draw < end) return draw % n;
    }
  }

  /** Standard normal number (Box and Muller 1958); every second call takes two draws. */
  normal(): number {
    if (!Number.isNaN(this.#spare)) {
      const spare = this.#spare;
      this.#spare = NaN;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log((this.u32() + 1) / 2 ** 32)); // of (0, 1]: never log 0
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /**
   * True with probability p: never for 0, always for 1. Takes one draw whatever p is, so that a changed
   * probability does not shift the draws after it.
   *
   * @param p Probability in [0, 1].
   */
  bernoulli(p: number): boolean {
    return this.uniform() < p;
  }

  /**
   * A random order of 0 … n-1 (Fisher-Yates, every order equally likely).
   *
   * @param n Length, an integer from 0 to 2^32 - 1.
   */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const held = order[i];
      order[i] = order[j];
      order[j] = held;
    }
    return order;
  }
}
