/**
 * Householder's tridiagonal form of symmetric matrices, in float64.
 *
 * @module
 */

/** A vector whose squares sum to less counts as 0, of a matrix whose largest magnitude is 1. */
const LEAST_SQUARES = 1e-280;

/** What {@linkcode tridiagonalize} finds. */
export interface Tridiagonal {
  /** The diagonal [D]. */
  diagonal: Float64Array<ArrayBuffer>;
  /** Below the diagonal, [D]: entry i is that of rows i + 1 and i; the last is 0. */
  below: Float64Array<ArrayBuffer>;
  /** Of every reflection I − u uᵀ / h its h, [D]; 0 where there is none. */
  norms: Float64Array<ArrayBuffer>;
}

/**
 * T = Qᵀ A Q of a symmetric matrix, Q = H_{D−1} … H_1, where H_i = I − u_i u_iᵀ / h_i makes row i zero but for its last
 * two entries. Row i of the matrix then holds u_i, of i entries.
 *
 * Each reflection goes once over the triangle: it brings the one before into it, and multiplies it with its own u.
 *
 * @param a [D, D] row-major with a largest magnitude of 1; its lower triangle is read and overwritten.
 */
export function tridiagonalize(a: Float64Array, dim: number): Tridiagonal {
  const diagonal = new Float64Array(dim), below = new Float64Array(dim);
  const norms = new Float64Array(dim);
  // What is to be taken away yet: u wᵀ + w uᵀ.
  let u = new Float64Array(dim), w = new Float64Array(dim);
  let next = new Float64Array(dim), product = new Float64Array(dim);
  for (let i = dim - 1; i >= 0; i--) {
    const row = i * dim;
    let squares = 0;
    for (let j = 0; j <= i; j++) {
      const value = a[row + j] - u[i] * w[j] - w[i] * u[j];
      a[row + j] = next[j] = value;
      if (j < i) squares += value * value;
    }
    diagonal[i] = next[i];
    if (i === 0) break;
    const last = next[i - 1];
    const rest = squares - last * last;
    if (!(squares > LEAST_SQUARES) || i === 1 || rest <= LEAST_SQUARES) {
      // There is nothing to make zero.
      below[i - 1] = last;
      next.fill(0, 0, i);
    } else {
      const length = last > 0 ? -Math.sqrt(squares) : Math.sqrt(squares);
      below[i - 1] = length;
      norms[i] = squares - last * length;
      next[i - 1] = last - length;
    }
    for (let j = 0; j < i; j++) a[row + j] = next[j];
    updateAndMultiply(a, dim, i, u, w, next, product);
    const h = norms[i];
    if (h > 0) {
      let sum = 0;
      for (let j = 0; j < i; j++) sum += (product[j] /= h) * next[j];
      for (let j = 0; j < i; j++) product[j] -= sum / (2 * h) * next[j];
    }
    [u, w, next, product] = [next, product, u, w];
  }
  return { diagonal, below, norms };
}

/** A ← A − u wᵀ − w uᵀ and p = A v of the first n rows, of which only the lower triangle is there. */
function updateAndMultiply(
  a: Float64Array,
  dim: number,
  n: number,
  u: Float64Array,
  w: Float64Array,
  v: Float64Array,
  p: Float64Array,
): void {
  p.fill(0, 0, n);
  let r = 0;
  for (; r + 1 < n; r += 2) {
    const top = r * dim, low = top + dim;
    const u0 = u[r], w0 = w[r], v0 = v[r], u1 = u[r + 1], w1 = w[r + 1], v1 = v[r + 1];
    let sum0 = 0, sum1 = 0;
    for (let j = 0; j < r; j++) {
      const uj = u[j], wj = w[j], vj = v[j];
      const x = a[top + j] - u0 * wj - w0 * uj;
      const y = a[low + j] - u1 * wj - w1 * uj;
      a[top + j] = x;
      a[low + j] = y;
      sum0 += x * vj;
      sum1 += y * vj;
      p[j] += x * v0 + y * v1;
    }
    const x = a[top + r] -= 2 * u0 * w0;
    const y = a[low + r] -= u1 * w0 + w1 * u0;
    const z = a[low + r + 1] -= 2 * u1 * w1;
    p[r] += sum0 + x * v0 + y * v1;
    p[r + 1] += sum1 + y * v0 + z * v1;
  }
  if (r === n) return;
  const row = r * dim;
  let sum = 0;
  for (let j = 0; j < r; j++) {
    const x = a[row + j] -= u[r] * w[j] + w[r] * u[j];
    sum += x * v[j];
    p[j] += x * v[r];
  }
  p[r] += sum + (a[row + r] -= 2 * u[r] * w[r]) * v[r];
}

/**
 * Q of {@linkcode tridiagonalize}, [D, D].
 *
 * Column k is H_{D−1} … H_{k+1} e_k, as the reflections before leave e_k alone. Four columns go through two reflections
 * at a time, so that each number loaded is used often.
 *
 * @param u What it leaves in the matrix.
 */
export function reflect(
  u: Float64Array,
  norms: Float64Array,
  dim: number,
): Float64Array<ArrayBuffer> {
  const wide = Math.ceil(dim / 4) * 4;
  const columns = new Float64Array(wide * dim); // as rows
  for (let k = 0; k < dim; k++) columns[k * dim + k] = 1;
  const inner = new Float64Array(dim); // u_i · u_{i + 1}
  for (let i = 0; i + 1 < dim; i++) {
    for (let j = 0; j < i; j++) inner[i] += u[i * dim + j] * u[(i + 1) * dim + j];
  }
  for (let k = 0; k < wide; k += 4) {
    for (let i = k + 1; i < dim; i += 2) reflectTwice(columns, k * dim, u, norms, inner, dim, i);
  }
  const q = new Float64Array(dim * dim);
  for (let r = 0; r < dim; r++) {
    for (let c = 0; c < dim; c++) q[r * dim + c] = columns[c * dim + r];
  }
  return q;
}

/** Reflections i and i + 1, where there is one, of four rows. */
function reflectTwice(
  x: Float64Array,
  first: number,
  u: Float64Array,
  norms: Float64Array,
  inner: Float64Array,
  dim: number,
  i: number,
): void {
  const second = first + dim, third = second + dim, fourth = third + dim;
  const both = i + 1 < dim;
  const one = i * dim, two = both ? one + dim : one;
  let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
  for (let j = 0; j < i; j++) {
    const v = u[one + j], w = u[two + j];
    const p = x[first + j], q = x[second + j], r = x[third + j], s = x[fourth + j];
    a += v * p, b += v * q, c += v * r, d += v * s;
    e += w * p, f += w * q, g += w * r, h += w * s;
  }
  const n = norms[i], m = both ? norms[i + 1] : 0;
  const t = inner[i];
  const end = both ? u[two + i] : 0; // u_{i + 1} has one entry more
  [a, b, c, d] = n > 0 ? [a / n, b / n, c / n, d / n] : [0, 0, 0, 0];
  if (m > 0) {
    e = (e - a * t + end * x[first + i]) / m;
    f = (f - b * t + end * x[second + i]) / m;
    g = (g - c * t + end * x[third + i]) / m;
    h = (h - d * t + end * x[fourth + i]) / m;
    x[first + i] -= e * end, x[second + i] -= f * end;
    x[third + i] -= g * end, x[fourth + i] -= h * end;
  } else {e =
      f =
      g =
      h =
        0;}
  for (let j = 0; j < i; j++) {
    const v = u[one + j], w = u[two + j];
    x[first + j] -= a * v + e * w;
    x[second + j] -= b * v + f * w;
    x[third + j] -= c * v + g * w;
    x[fourth + j] -= d * v + h * w;
  }
}
