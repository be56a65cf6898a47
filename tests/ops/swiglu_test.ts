import assert from "node:assert/strict";
import { swiglu } from "../../lib/ops.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";

const silu = (v: number) => v / (1 + Math.exp(-v));
const slope = (v: number) => {
  const s = 1 / (1 + Math.exp(-v));
  return s + v * s * (1 - s);
};

/** [R, 2 · H] → [R, H]. */
const reference = (hidden: number) => (x: Float64Array) =>
  Float64Array.from({ length: x.length / 2 }, (_, i) => {
    const at = Math.floor(i / hidden) * 2 * hidden + i % hidden;
    return silu(x[at]) * x[at + hidden];
  });

for (const [rows, hidden] of [[1, 1], [3, 7], [5, 8], [2, 37], [9, 44]]) {
  gpuTest(`swiglu() equals f64 both ways, for [${rows}, 2 · ${hidden}]`, async (gpu) => {
    const x = normals(rows * 2 * hidden, 1, 2), dy = normals(rows * hidden, 2);
    const [y, dx] = await values(gpu, () => {
      const { y, backward } = swiglu(gpu, gpu.tensor(x, [rows, 2 * hidden]));
      assert.deepEqual(y.shape, [rows, hidden]);
      return [y, backward(gpu.tensor(dy, [rows, hidden]))];
    });
    assertClose(y, reference(hidden)(Float64Array.from(x)), 1e-6, "y");
    assertGradient(dx, reference(hidden), [x], 0, dy, 2e-6, "x");
  });
}

gpuTest("swiglu() and its gradient equal f64 at extremes", async (gpu) => {
  const gates = [0, 1e-30, 30, 79, 88, 1000, 1e30].flatMap((v) => [v, -v]);
  const n = gates.length;
  const x = Float32Array.from([...gates, ...Array(n).fill(2)]);
  const [y, dx] = await values(gpu, () => {
    const { y, backward } = swiglu(gpu, gpu.tensor(x, [1, 2 * n]));
    return [y, backward(gpu.tensor(new Float32Array(n).fill(1), [1, n]))];
  });
  gates.forEach((v, i) => {
    const near = (found: number, expected: number, what: string) =>
      assert.ok(
        Math.abs(found - expected) <= 1e-6 * Math.max(1, Math.abs(expected)),
        `${what} at ${v}: ${found}, not ${expected}`,
      );
    near(y[i], 2 * silu(v), "y");
    near(dx[i], 2 * slope(v), "gate's gradient");
    near(dx[n + i], silu(v), "value's gradient");
  });
});

gpuTest("swiglu() refuses an odd width", (gpu) => {
  gpu.scope(() => {
    assert.throws(() => swiglu(gpu, gpu.empty([2, 5])), /two halves of equal width/);
    return [];
  });
});
