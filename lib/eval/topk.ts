/**
 * The k largest values per row of a matrix that arrives in pieces.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/**
 * The k nearest gallery rows of every query, nearest first; equal similarities by lower index.
 *
 * @category Evaluation
 */
export interface Neighbors {
  /** Number of queries, m. */
  rows: number;
  /** Neighbours per query. */
  k: number;
  /** Gallery indices, [m, k]. */
  indices: Int32Array<ArrayBuffer>;
  /** Their similarities, [m, k]. */
  similarity: Float32Array<ArrayBuffer>;
}

/** One heap per row, its root the entry to give up next: lowest value, among equals highest index. */
export class TopK {
  #rows: number;
  #k: number;
  #counts: Int32Array;
  #values: Float32Array<ArrayBuffer>;
  #indices: Int32Array<ArrayBuffer>;

  /** Room for the `k` largest of each of `rows` rows. */
  constructor(rows: number, k: number) {
    this.#rows = rows;
    this.#k = k;
    this.#counts = new Int32Array(rows);
    this.#values = new Float32Array(rows * k);
    this.#indices = new Int32Array(rows * k);
  }

  #worse(a: number, b: number): boolean {
    const difference = this.#values[a] - this.#values[b];
    return difference < 0 || (difference === 0 && this.#indices[a] > this.#indices[b]);
  }

  #swap(a: number, b: number): void {
    const value = this.#values[a], index = this.#indices[a];
    this.#values[a] = this.#values[b];
    this.#indices[a] = this.#indices[b];
    this.#values[b] = value;
    this.#indices[b] = index;
  }

  #siftUp(base: number, at: number): void {
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#worse(base + at, base + parent)) return;
      this.#swap(base + at, base + parent);
      at = parent;
    }
  }

  #siftDown(base: number, count: number): void {
    for (let at = 0;;) {
      let worst = at;
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
        if (this.#worse(base + child, base + worst)) worst = child;
      }
      if (worst === at) return;
      this.#swap(base + at, base + worst);
      at = worst;
    }
  }

  /**
   * Offers values of one row; pieces of a row must come in ascending order of their indices.
   *
   * @param row the row.
   * @param values the piece, its first value standing for index `first`.
   * @param first index of the first value.
   * @param excluded an index to pass over, or −1.
   * @throws {HatchlingError} on NaN.
   */
  push(row: number, values: Float32Array, first: number, excluded: number): void {
    const base = row * this.#k, k = this.#k;
    let count = this.#counts[row];
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      // an equal value has the higher index, so it does not displace the root
      if (count === k && value <= this.#values[base]) continue;
      if (first + i === excluded) continue;
      if (Number.isNaN(value)) {
        throw new HatchlingError(
          `Expected finite similarities but found NaN for query ${row}: check the features`,
        );
      }
      const at = count < k ? count : 0;
      this.#values[base + at] = value;
      this.#indices[base + at] = first + i;
      if (count < k) this.#siftUp(base, count++);
      else this.#siftDown(base, k);
    }
    this.#counts[row] = count;
  }

  /** Sorts every row and gives the result; nothing can be offered afterwards. */
  finish(): Neighbors {
    for (let row = 0; row < this.#rows; row++) {
      const base = row * this.#k;
      // the worst goes to the end, again and again
      for (let count = this.#counts[row]; count > 1;) {
        this.#swap(base, base + --count);
        this.#siftDown(base, count);
      }
    }
    return { rows: this.#rows, k: this.#k, indices: this.#indices, similarity: this.#values };
  }
}
