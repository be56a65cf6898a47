/** Numbers for tests: reproducible inputs and tolerant comparison. */
import assert from "node:assert/strict";

export { normals } from "../../lib/prove/numbers.ts";

/** Asserts max|x − expected| ≤ tolerance · max(1e-30, max|expected|) and that all are finite. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance = 1e-5,
  what = "values",
): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  let peak = 1e-30, worst = 0, at = 0;
  for (let i = 0; i < expected.length; i++) {
    peak = Math.max(peak, Math.abs(expected[i]));
    const d = Math.abs(actual[i] - expected[i]);
    if (!(d <= worst)) [worst, at] = [Number.isNaN(d) ? Infinity : d, i];
  }
  assert.ok(
    worst <= tolerance * peak,
    `${what}: at ${at} expected ${expected[at]} but found ${
      actual[at]
    }; error ${worst} > ${tolerance} × ${peak}`,
  );
}

/** f64 product of op(a) [m, k] and op(b) [k, n]. */
export function matmulF64(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  [m, k, n]: [number, number, number],
  transA = false,
  transB = false,
): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let q = 0; q < k; q++) {
        sum += a[transA ? q * m + i : i * k + q] * b[transB ? j * k + q : q * n + j];
      }
      out[i * n + j] = sum;
    }
  }
  return out;
}
