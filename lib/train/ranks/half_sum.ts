/**
 * The sum over ranks of numbers that are sent as halves.
 *
 * @module
 */
import type { Comm } from "../../comm.ts";

/** Exponent that the largest number of a message is brought to: far from the largest half, 65504. */
const LARGEST = 14;
/** Bytes before the halves of a message: the power of two that they were multiplied by, as f32. */
const HEAD = 4;

/**
 * Sums over ranks with half the bytes of f32, with error feedback: what rounding takes from a number is added to it the
 * next time (Seide et al. 2014, INTERSPEECH, section 2; Karimireddy et al. 2019, arXiv:1901.09847, algorithm 2), so that
 * over steps nothing is lost.
 *
 * Every rank sends each other one the segment that this one adds up, in f32 and in the order of ranks; the sums are
 * rounded once more and sent to all. Each message is multiplied by a power of two that brings its largest number to
 * 2^14: small gradients stay normal halves. NaN and infinity arrive as such.
 *
 * @example
 * ```ts
 * import { aloneComm } from "@hatchling/hatchling/comm";
 * import { HalfSum } from "./half_sum.ts";
 *
 * const sum = new HalfSum(aloneComm(), 2);
 * const values = Float32Array.of(1, 1 / 3);
 * await sum.add(values);
 * console.log(values); // 1, 0.33325195: with one rank only rounded
 * ```
 */
export class HalfSum {
  readonly #comm: Comm;
  /** Numbers of a segment. */
  readonly #part: number;
  /** What rounding has taken so far: of this rank's numbers, and of the sums of its segment. */
  readonly #owed: Float32Array;
  readonly #owedSum: Float32Array;

  /** For so many numbers each time. */
  constructor(comm: Comm, length: number) {
    this.#comm = comm;
    this.#part = 2 * Math.ceil(length / comm.size / 2);
    this.#owed = new Float32Array(this.#part * comm.size);
    this.#owedSum = new Float32Array(this.#part);
  }

  /** Replaces values by their sums, the same bits on all ranks. Returns the bytes that this rank has sent. */
  async add(values: Float32Array): Promise<number> {
    const { size } = this.#comm, n = this.#part;
    const padded = new Float32Array(n * size);
    padded.set(values);
    const message = HEAD + 2 * n, sent = new Uint8Array(size * message);
    for (let r = 0; r < size; r++) {
      const part = [r * n, (r + 1) * n] as const;
      round(padded.subarray(...part), this.#owed.subarray(...part), sent, r * message);
    }
    const parts = await this.#comm.alltoall(sent);
    const sums = new Float32Array(n);
    for (let r = 0; r < size; r++) {
      const { halves, scale } = read(parts, r * message, n);
      for (let i = 0; i < n; i++) sums[i] += halves[i] * scale;
    }
    const own = new Uint8Array(message);
    round(sums, this.#owedSum, own, 0);
    const all = await this.#comm.allgather(own);
    for (let r = 0; r < size; r++) {
      const { halves, scale } = read(all, r * message, n), from = r * n;
      const end = Math.min(n, values.length - from);
      for (let i = 0; i < end; i++) values[from + i] = halves[i] * scale;
    }
    return sent.length + own.length;
  }
}

/** Writes numbers, and what they are owed, as halves after their scale; what rounding takes is owed from now on. */
function round(values: Float32Array, owed: Float32Array, out: Uint8Array, at: number): void {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    values[i] += owed[i];
    most = Math.max(most, Math.abs(values[i])); // NaN stays NaN
  }
  // A power of two within those that are normal numbers of f32, its inverse too.
  const exponent = most > 0 && most < Infinity ? LARGEST - Math.ceil(Math.log2(most)) : 0;
  const scale = 2 ** Math.max(-126, Math.min(126, exponent));
  new DataView(out.buffer, out.byteOffset).setFloat32(at, 1 / scale, true);
  const halves = new Float16Array(out.buffer, out.byteOffset + at + HEAD, values.length);
  for (let i = 0; i < values.length; i++) {
    halves[i] = values[i] * scale;
    const lost = values[i] - halves[i] / scale;
    owed[i] = Number.isFinite(lost) ? lost : 0;
  }
}

/** Halves of a message, and what they are to be multiplied by. */
function read(bytes: Uint8Array, at: number, length: number) {
  const scale = new DataView(bytes.buffer, bytes.byteOffset).getFloat32(at, true);
  return { halves: new Float16Array(bytes.buffer, bytes.byteOffset + at + HEAD, length), scale };
}
