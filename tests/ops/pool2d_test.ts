import assert from "node:assert/strict";
import { averagePool, maxPool } from "../../lib/ops.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";

type Shape = [batch: number, height: number, width: number, channels: number];

/** The largest of every window of 3 × 3, two apart, and where in x it is: the first of equal ones. */
function pooled([batch, height, width, channels]: Shape, x: ArrayLike<number>) {
  const [rows, cols] = [height, width].map((n) => Math.floor((n - 1) / 2) + 1);
  const y: number[] = [], at: number[] = [];
  for (let i = 0; i < batch * rows * cols * channels; i++) {
    const c = i % channels, q = Math.floor(i / channels) % cols;
    const r = Math.floor(i / channels / cols) % rows, b = Math.floor(i / channels / cols / rows);
    let best = -Infinity, which = -1;
    for (let py = Math.max(0, 2 * r - 1); py <= Math.min(height - 1, 2 * r + 1); py++) {
      for (let px = Math.max(0, 2 * q - 1); px <= Math.min(width - 1, 2 * q + 1); px++) {
        const from = ((b * height + py) * width + px) * channels + c;
        if (x[from] > best) [best, which] = [x[from], from];
      }
    }
    y.push(best);
    at.push(which);
  }
  return { y, at };
}

const SHAPES: Shape[] = [[2, 5, 7, 3], [1, 4, 6, 4], [3, 1, 1, 2], [2, 2, 9, 1], [1, 16, 16, 8]];
for (const shape of SHAPES) {
  gpuTest(`maxPool() equals f64, forward and backward, at [${shape}]`, async (gpu) => {
    const size = shape.reduce((a, b) => a * b);
    const inputs = {
      normal: normals(size, 1),
      // As after ReLU: ties everywhere.
      ties: normals(size, 2).map((v) => Math.max(0, Math.round(v))),
      extreme: normals(size, 3).map((v, i) => i % 3 ? v * 1e30 : -3e38),
    };
    for (const [name, x] of Object.entries(inputs)) {
      const { y, at } = pooled(shape, x), dy = normals(y.length, 4);
      const expected = new Float64Array(size);
      at.forEach((from, i) => expected[from] += dy[i]);
      const [found, dx] = await values(gpu, () => {
        const run = maxPool(gpu, gpu.tensor(x, shape), { side: 3, stride: 2, padding: 1 });
        return [run.y, run.backward(gpu.tensor(dy, run.y.shape))];
      });
      assert.deepEqual([...found], y, name);
      assertClose(dx, expected, 1e-6, name);
    }
    const x = inputs.normal, dy = normals(pooled(shape, x).y.length, 5);
    const [dx] = await values(gpu, () => {
      const run = maxPool(gpu, gpu.tensor(x, shape), { side: 3, stride: 2, padding: 1 });
      return [run.backward(gpu.tensor(dy, run.y.shape))];
    });
    assertGradient(dx, (v) => pooled(shape, v).y, [x], 0, dy, 1e-6);
  });

  for (const tokens of [false, true]) {
    gpuTest(
      `averagePool() equals f64, forward and backward, at [${shape}]${tokens ? " as tokens" : ""}`,
      async (gpu) => {
        const [batch, height, width, channels] = shape, places = height * width;
        const rows = tokens ? 1 + places : 1, first = 2;
        const x = normals(batch * places * channels, 6);
        const reference = (x: Float64Array) =>
          Array.from({ length: batch * rows * channels }, (_, i) => {
            const c = i % channels, r = Math.floor(i / channels) % rows;
            const b = Math.floor(i / channels / rows);
            const at = (p: number) => x[(b * places + p) * channels + c];
            if (r) return at(r - 1);
            let sum = 0;
            for (let p = 0; p < places; p++) sum += at(p) / places;
            return sum;
          });
        const all = normals((first + batch) * rows * channels, 7);
        const skipped = first * rows * channels;
        const [y, dx] = await values(gpu, () => {
          const out = gpu.tensor(all, [first + batch, rows, channels]);
          const { backward } = averagePool(gpu, gpu.tensor(x, shape), { out, first, tokens });
          return [out, backward(gpu.tensor(all, [first + batch, rows, channels]))];
        });
        assert.deepEqual(y.subarray(0, skipped), all.subarray(0, skipped));
        assertClose(y.subarray(skipped), reference(Float64Array.from(x)), 1e-6);
        assertGradient(dx, reference, [x], 0, all.subarray(skipped), 2e-6);
      },
    );
  }
}

gpuTest("maxPool() and averagePool() say what does not fit", (gpu) => {
  const x = gpu.persistent([1, 2, 2, 3]), out = gpu.persistent([1, 3]);
  const pool = (side: number, stride: number, padding: number) =>
    maxPool(gpu, x, { side, stride, padding });
  assert.throws(() => pool(3, 2, 2), /half of a side/);
  assert.throws(() => pool(3, 2, 0), /windows that fit/);
  assert.throws(() => pool(3, 0.5, 1), /stride 0\.5/);
  assert.throws(() => averagePool(gpu, x, { out, first: 1 }), /room for 1 rows/);
  assert.throws(() => averagePool(gpu, x, { out, tokens: true }), /room for 5 rows/);
  for (const t of [x, out]) t.destroy();
});
