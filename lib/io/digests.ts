/**
 * SHA-256 and CRC-32 of bytes that come in pieces: as the system has them, in a page in plain TypeScript.
 *
 * Sources: FIPS 180-4, section 6.2; ISO/IEC 3309 as PNG (annex D) and ZIP use it.
 *
 * @module
 */
import { builtin } from "./builtin.ts";

/** A hash under way. */
export interface Hash {
  /** Takes more bytes, or a text's in UTF-8. */
  update(data: Uint8Array | string): this;
  /** Ends it: 64 hexadecimal digits. */
  digest(encoding: "hex"): string;
}

/**
 * Begins a SHA-256.
 *
 * @example
 * ```ts
 * import { sha256 } from "./digests.ts";
 *
 * console.assert(sha256().update("a").update("bc").digest("hex").startsWith("ba7816bf"));
 * ```
 */
export function sha256(): Hash {
  // Web Crypto takes no pieces.
  return builtin<typeof import("node:crypto")>("node:crypto")?.createHash("sha256") ?? new Sha256();
}

const isPrime = (n: number) => {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
};
const PRIMES = Array.from({ length: 312 }, (_, n) => n).filter((n) => n > 1 && isPrime(n));
/** The first 32 bits of the fractions of roots of primes. */
const fractions = (n: number, root: (x: number) => number) =>
  Int32Array.from(PRIMES.slice(0, n), (p) => Math.floor((root(p) % 1) * 2 ** 32));

/** SHA-256 without a system's help. */
export class Sha256 implements Hash {
  static #constants?: Int32Array;
  readonly #state = fractions(8, Math.sqrt);
  readonly #k = Sha256.#constants ??= fractions(64, Math.cbrt);
  readonly #w = new Int32Array(64);
  readonly #block = new Uint8Array(64);
  #filled = 0;
  #bytes = 0;

  update(data: Uint8Array | string): this {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    this.#bytes += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(64 - this.#filled, bytes.length - at);
      this.#block.set(bytes.subarray(at, at += count), this.#filled);
      this.#filled += count;
      if (this.#filled === 64) this.#compress();
    }
    return this;
  }

  digest(_: "hex"): string {
    const bits = 8 * this.#bytes;
    this.update(Uint8Array.of(0x80));
    this.update(new Uint8Array((120 - this.#filled) % 64));
    const length = new DataView(new ArrayBuffer(8));
    length.setBigUint64(0, BigInt(bits));
    this.update(new Uint8Array(length.buffer));
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #compress(): void {
    const w = this.#w, k = this.#k, block = this.#block, state = this.#state;
    for (let i = 0; i < 16; i++) {
      const at = 4 * i;
      w[i] = block[at] << 24 | block[at + 1] << 16 | block[at + 2] << 8 | block[at + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      const s0 = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3;
      const s1 = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const s1 = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
      const t1 = h + s1 + (e & f ^ ~e & g) + k[i] + w[i] | 0;
      const s0 = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
      const t2 = s0 + (a & b ^ a & c ^ b & c) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, d + t1 | 0, c, b, a, t1 + t2 | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => state[i] += word);
    this.#filled = 0;
  }
}

/**
 * CRC-32 of bytes.
 *
 * @param before Of what comes before them.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  // Node has it from 20.15 on.
  const { crc32: native } = builtin<typeof import("node:zlib")>("node:zlib") ?? {};
  return native ? native(bytes, before) : plainCrc32(bytes, before);
}

let table: Uint32Array | undefined;

/** CRC-32 without a system's help. */
export function plainCrc32(bytes: Uint8Array, before = 0): number {
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? n >>> 1 ^ 0xedb88320 : n >>> 1;
    return n;
  });
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = crc >>> 8 ^ table[(crc ^ bytes[i]) & 255];
  return ~crc >>> 0;
}
