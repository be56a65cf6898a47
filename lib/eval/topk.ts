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

/** Where a piece of values lies in the whole matrix. */
export interface Place {
  /** Row of its first value. */
  row: number;
  /** Column of its first value. */
  column: number;
  /** Columns that count. */
  columns: number;
  /** Values from a row to the next; by default as many. */
  stride?: number;
}

/** One heap per row, its root the entry to give up next: lowest value, among equals highest index. */
export class TopK {
  readonly #rows: number;
  readonly #k: number;
  readonly #excluded: ArrayLike<number> | undefined;
  readonly #counts: Int32Array;
  readonly #values: Float32Array<ArrayBuffer>;
  readonly #indices: Int32Array<ArrayBuffer>;
  /** What a value of each row has to exceed: its root, once it has k. */
  readonly #least: Float32Array;

  /**
   * Room for the `k` largest of each of `rows` rows.
   *
   * @param excluded Of each row a column to pass over, or −1.
   */
  constructor(rows: number, k: number, excluded?: ArrayLike<number>) {
    this.#rows = rows;
    this.#k = k;
    this.#excluded = excluded;
    this.#counts = new Int32Array(rows);
    this.#values = new Float32Array(rows * k);
    this.#indices = new Int32Array(rows * k);
    this.#least = new Float32Array(rows).fill(-Infinity);
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
   * Offers values, row-major; those of a row must come in ascending order of their columns.
   *
   * @throws {HatchlingError} on NaN.
   */
  push(values: Float32Array, rows: number, place: Place): void {
    const { row, column, columns, stride = columns } = place;
    for (let r = 0; r < rows; r++) {
      const start = r * stride;
      let least = this.#least[row + r];
      for (let c = 0; c < columns; c++) {
        // An equal value has the higher index, so it does not displace the root.
        if (values[start + c] < least) continue;
        least = this.#offer(row + r, column + c, values[start + c]);
      }
    }
  }

  /**
   * Offers the same values the other way round: a row of them is a column here.
   *
   * @param place Row and column of the first value in the matrix of the values, not of this one.
   * @throws {HatchlingError} on NaN.
   */
  pushTransposed(values: Float32Array, rows: number, place: Place): void {
    const { row, column, columns, stride = columns } = place;
    const least = this.#least.subarray(column, column + columns);
    for (let r = 0; r < rows; r++) {
      const start = r * stride;
      for (let c = 0; c < columns; c++) {
        if (values[start + c] < least[c]) continue;
        this.#offer(column + c, row + r, values[start + c]);
      }
    }
  }

  /** Takes a value, if it is one of the largest; returns what the next has to exceed. */
  #offer(row: number, index: number, value: number): number {
    const k = this.#k, base = row * k, count = this.#counts[row];
    const full = count === k;
    if (full && value <= this.#values[base] || index === this.#excluded?.[row]) {
      return this.#least[row];
    }
    if (Number.isNaN(value)) {
      throw new HatchlingError(
        `Expected finite similarities but found NaN for query ${row}: check the features`,
      );
    }
    const at = full ? 0 : count;
    this.#values[base + at] = value;
    this.#indices[base + at] = index;
    if (full) this.#siftDown(base, k);
    else this.#siftUp(base, this.#counts[row]++);
    if (this.#counts[row] === k) this.#least[row] = this.#values[base];
    return this.#least[row];
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
