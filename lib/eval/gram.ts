/**
 * Products of tall matrices, in float64: what singular values and least squares need.
 *
 * @module
 */

/** Terms that are summed at a time: two panels of them stay in the nearest cache. */
const PANEL = 64;

/** Elements this small count as 0. */
const TINY = 1e-30;

/** How rows are looked at. */
export interface GramOptions {
  /**
   * Divides every value first, so that squares neither overflow nor vanish; what is then below 1e-30 counts as 0:
   * products of such values are subnormal, which is slow and says nothing. Default 1.
   */
  unit?: number;
  /** What is taken from every row, [D]. Default: nothing. */
  mean?: Float64Array;
}

/** Puts values r = `from` … `from` + `count` − 1 of every line into a panel, line by line, 64 places each. */
type Fill = (panel: Float64Array, from: number, count: number) => void;

/**
 * XᵀX of rows [n, D], [D, D] row-major. Each sum runs over the rows in order, in panels of 64.
 *
 * @param x n · D values, row-major, finite.
 */
export function gramOf(
  x: ArrayLike<number>,
  rows: number,
  dim: number,
  options: GramOptions = {},
): Float64Array<ArrayBuffer> {
  return symmetric(dim, rows, columnsOf(x, dim, options));
}

/** XXᵀ of rows [n, D], [n, n] row-major. Each sum runs over the dimensions in order, in panels of 64. */
export function gramOfRows(
  x: ArrayLike<number>,
  rows: number,
  dim: number,
  { unit = 1, mean }: GramOptions = {},
): Float64Array<ArrayBuffer> {
  return symmetric(rows, dim, (panel, from, count) => {
    for (let row = 0; row < rows; row++) {
      const start = row * dim + from;
      for (let d = 0; d < count; d++) {
        panel[row * PANEL + d] = scaled(x[start + d] - (mean ? mean[from + d] : 0), unit);
      }
    }
  });
}

/**
 * AX of A [k, n] and rows [n, D], [k, D] row-major.
 *
 * @param a k · n values, row-major.
 */
export function timesRows(
  a: Float64Array,
  x: ArrayLike<number>,
  rows: number,
  dim: number,
  options: GramOptions = {},
): Float64Array<ArrayBuffer> {
  const count = a.length / rows;
  const [high, wide] = [wholeTiles(count), wholeTiles(dim)];
  const left = new Float64Array(high * PANEL), right = new Float64Array(wide * PANEL);
  const sums = new Float64Array(high * wide), fill = columnsOf(x, dim, options);
  for (let from = 0; from < rows; from += PANEL) {
    const terms = Math.min(PANEL, rows - from);
    if (terms < PANEL) left.fill(0), right.fill(0);
    for (let i = 0; i < count; i++) {
      for (let r = 0; r < terms; r++) left[i * PANEL + r] = a[i * rows + from + r];
    }
    fill(right, from, terms);
    for (let i = 0; i < high; i += 4) {
      for (let j = 0; j < wide; j += 4) addTile(left, i, right, j, sums, wide);
    }
  }
  const out = new Float64Array(count * dim);
  for (let i = 0; i < count; i++) {
    out.set(sums.subarray(i * wide, i * wide + dim), i * dim);
  }
  return out;
}

/** Columns as lines of a panel. */
function columnsOf(x: ArrayLike<number>, dim: number, { unit = 1, mean }: GramOptions): Fill {
  return (panel, from, count) => {
    for (let r = 0; r < count; r++) {
      const start = (from + r) * dim;
      for (let d = 0; d < dim; d++) {
        panel[d * PANEL + r] = scaled(x[start + d] - (mean ? mean[d] : 0), unit);
      }
    }
  };
}

function scaled(value: number, unit: number): number {
  const result = value / unit;
  return Math.abs(result) < TINY ? 0 : result;
}

function wholeTiles(size: number): number {
  return Math.ceil(size / 4) * 4; // what is beyond are zeros
}

/** Products of every line with every other, of which only one triangle is summed. */
function symmetric(size: number, length: number, fill: Fill): Float64Array<ArrayBuffer> {
  const wide = wholeTiles(size);
  const panel = new Float64Array(wide * PANEL), sums = new Float64Array(wide * wide);
  for (let from = 0; from < length; from += PANEL) {
    const count = Math.min(PANEL, length - from);
    if (count < PANEL) panel.fill(0);
    fill(panel, from, count);
    for (let i = 0; i < wide; i += 4) {
      for (let j = 0; j <= i; j += 4) addTile(panel, i, panel, j, sums, wide);
    }
  }
  const out = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) out[i * size + j] = out[j * size + i] = sums[i * wide + j];
  }
  return out;
}

/** Adds the products of lines i … i + 3 of one panel and j … j + 3 of another. */
function addTile(
  x: Float64Array,
  i: number,
  y: Float64Array,
  j: number,
  sums: Float64Array,
  wide: number,
): void {
  let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
  let k = 0, l = 0, m = 0, n = 0, o = 0, q = 0, s = 0, t = 0;
  const [i0, j0] = [i * PANEL, j * PANEL];
  for (let r = 0; r < PANEL; r++) {
    const x0 = x[i0 + r], x1 = x[i0 + PANEL + r];
    const x2 = x[i0 + 2 * PANEL + r], x3 = x[i0 + 3 * PANEL + r];
    const y0 = y[j0 + r], y1 = y[j0 + PANEL + r];
    const y2 = y[j0 + 2 * PANEL + r], y3 = y[j0 + 3 * PANEL + r];
    a += x0 * y0, b += x0 * y1, c += x0 * y2, d += x0 * y3;
    e += x1 * y0, f += x1 * y1, g += x1 * y2, h += x1 * y3;
    k += x2 * y0, l += x2 * y1, m += x2 * y2, n += x2 * y3;
    o += x3 * y0, q += x3 * y1, s += x3 * y2, t += x3 * y3;
  }
  let at = i * wide + j;
  sums[at] += a, sums[at + 1] += b, sums[at + 2] += c, sums[at + 3] += d;
  at += wide;
  sums[at] += e, sums[at + 1] += f, sums[at + 2] += g, sums[at + 3] += h;
  at += wide;
  sums[at] += k, sums[at + 1] += l, sums[at + 2] += m, sums[at + 3] += n;
  at += wide;
  sums[at] += o, sums[at + 1] += q, sums[at + 2] += s, sums[at + 3] += t;
}
