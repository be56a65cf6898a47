import assert from "node:assert/strict";
import { gelu } from "../../lib/ops/gelu.ts";
import { erf } from "../../lib/prove/erf.ts";
import { gpuTest } from "../support/gpu.ts";
import { normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";

const reference = (v: number) => 0.5 * v * (1 + erf(v * Math.SQRT1_2));

/** Central difference of the reference. */
function slope(v: number): number {
  const step = 1e-5 * Math.max(1, Math.abs(v));
  return (reference(v + step) - reference(v - step)) / (2 * step);
}

/** |found − expected| ≤ 1e-6 · max(1, |expected|), element by element. */
function assertEach(
  actual: Float32Array,
  x: Float32Array,
  expected: (v: number, i: number) => number,
) {
  x.forEach((v, i) => {
    const e = expected(v, i);
    const message = `at ${v} expected ${e} but found ${actual[i]}`;
    assert.ok(Math.abs(actual[i] - e) <= 1e-6 * Math.max(1, Math.abs(e)), message);
  });
}

for (const n of [1, 7, 67, 1025]) {
  gpuTest(`gelu() equals f64, forward and backward, for ${n} elements`, async (gpu) => {
    const x = normals(n, 1, 3), dy = normals(n, 2);
    const [y, dx] = await values(gpu, () => {
      const { y, backward } = gelu(gpu, gpu.tensor(x));
      return [y, backward(gpu.tensor(dy))];
    });
    assertEach(y, x, reference);
    assertEach(dx, x, (v, i) => slope(v) * dy[i]);
  });
}

gpuTest("gelu() and its gradient equal f64 at extremes and across the tails", async (gpu) => {
  const large = [6, 12.5, 12.7, 100, 1e4, 1e30, 3e38];
  const tails = Array.from({ length: 161 }, (_, i) => (i - 80) / 10);
  const x = Float32Array.from([0, 1e-30, -1e-30, ...large, ...large.map((v) => -v), ...tails]);
  const [y, dx] = await values(gpu, () => {
    const { y, backward } = gelu(gpu, gpu.tensor(x));
    return [y, backward(gpu.tensor(x.map(() => 1)))];
  });
  assertEach(y, x, reference);
  assertEach(dx, x, slope);
});
