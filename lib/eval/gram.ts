/**
 * Products of all columns of a tall matrix, in float64: what singular values and least squares need.
 *
 * @module
 */

/** Rows that are summed at a time: two panels of them stay in the nearest cache. */
const PANEL = 64;

/** Elements this small count as 0. */
const TINY = 1e-30;

/**
 * XᵀX of rows [n, D], [D, D] row-major. Each sum runs over the rows in order, in panels of 64.
 *
 * @param x n · D values, row-major, finite.
 * @param unit Divides every value first, so that squares neither overflow nor vanish; what is then below 1e-30
 * counts as 0: products of such values are subnormal, which is slow and says nothing.
 */
export function gramOf(
  x: ArrayLike<number>,
  rows: number,
  dim: number,
  unit = 1,
): Float64Array<ArrayBuffer> {
  const wide = Math.ceil(dim / 4) * 4; // tiles of 4 × 4; the columns beyond D are zeros
  const panel = new Float64Array(wide * PANEL), sums = new Float64Array(wide * wide);
  for (let from = 0; from < rows; from += PANEL) {
    const count = Math.min(PANEL, rows - from);
    if (count < PANEL) panel.fill(0);
    for (let r = 0; r < count; r++) {
      const start = (from + r) * dim;
      for (let d = 0; d < dim; d++) {
        const value = x[start + d] / unit;
        panel[d * PANEL + r] = Math.abs(value) < TINY ? 0 : value;
      }
    }
    for (let i = 0; i < wide; i += 4) {
      for (let j = 0; j <= i; j += 4) addTile(panel, sums, wide, i, j);
    }
  }
  const out = new Float64Array(dim * dim);
  for (let i = 0; i < dim; i++) {
    for (let j = 0; j <= i; j++) out[i * dim + j] = out[j * dim + i] = sums[i * wide + j];
  }
  return out;
}

/** Adds the products of columns i … i + 3 and j … j + 3 of a panel. */
function addTile(p: Float64Array, sums: Float64Array, wide: number, i: number, j: number): void {
  let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
  let k = 0, l = 0, m = 0, n = 0, o = 0, q = 0, s = 0, t = 0;
  const [i0, j0] = [i * PANEL, j * PANEL];
  for (let r = 0; r < PANEL; r++) {
    const x0 = p[i0 + r], x1 = p[i0 + PANEL + r];
    const x2 = p[i0 + 2 * PANEL + r], x3 = p[i0 + 3 * PANEL + r];
    const y0 = p[j0 + r], y1 = p[j0 + PANEL + r];
    const y2 = p[j0 + 2 * PANEL + r], y3 = p[j0 + 3 * PANEL + r];
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
