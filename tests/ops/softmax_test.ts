import { softmax } from "../../lib/ops/softmax.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes, values } from "../support/ops.ts";

function reference(x: Float64Array, cols: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let r = 0; r < x.length; r += cols) {
    const row = x.subarray(r, r + cols);
    const top = Math.max(...row);
    const sum = row.reduce((a, v) => a + Math.exp(v - top), 0);
    row.forEach((v, c) => y[r + c] = Math.exp(v - top) / sum);
  }
  return y;
}

for (const [rows, cols] of [[1, 1], [3, 7], [131, 3], [5, 67], [33, 68], [2, 512], [3, 516]]) {
  gpuTest(`softmax() equals f64, forward and backward, at [${rows}, ${cols}]`, async (gpu) => {
    const x = normals(rows * cols, 1, 3), dy = normals(rows * cols, 2);
    await eachLanes(gpu, async (what) => {
      const [y, dx] = await values(gpu, () => {
        const { y, backward } = softmax(gpu, gpu.tensor(x, [rows, cols]));
        return [y, backward(gpu.tensor(dy, [rows, cols]))];
      });
      assertClose(y, reference(Float64Array.from(x), cols), 2e-6, `y, ${what}`);
      const f = (x: Float64Array) => reference(x, cols);
      assertGradient(dx, f, [x], 0, dy, 2e-6, `dx, ${what}`);
    });
  });
}

for (const cols of [67, 68]) {
  gpuTest(`softmax() equals f64 in rows of ${cols} extreme values`, async (gpu) => {
    const noise = normals(cols, 3);
    const rows = {
      "zeros": noise.map(() => 0),
      "equal and large": noise.map(() => 12345.678),
      "1e4 and -1e4": noise.map((v) => v < 0 ? -1e4 : 1e4),
      "around 1e-30": noise.map((v) => v * 1e-30),
      "around 1e4": noise.map((v) => 1e4 + Math.round(4 * v)),
      "the largest finite": noise.map((v) => v < 0 ? -3.4e38 : 3.4e38),
      "one far above": noise.map((v, i) => i === 64 ? 200 : v),
    };
    const x = Float32Array.from(Object.values(rows).flatMap((row) => [...row]));
    await eachLanes(gpu, async (what) => {
      const [y] = await values(gpu, () => [softmax(gpu, gpu.tensor(x, [x.length / cols, cols])).y]);
      Object.entries(rows).forEach(([name, row], i) => {
        const expected = reference(Float64Array.from(row), cols);
        assertClose(y.subarray(i * cols, (i + 1) * cols), expected, 2e-6, `${name}, ${what}`);
      });
    });
  });
}

gpuTest("softmax() equals f64 in rows too long for one lane", async (gpu) => {
  const cols = 70_001;
  const x = normals(2 * cols, 4, 3);
  const [y] = await values(gpu, () => [softmax(gpu, gpu.tensor(x, [2, cols])).y]);
  const expected = new Float64Array(2 * cols);
  for (const r of [0, 1]) {
    const row = Float64Array.from(x.subarray(r * cols, (r + 1) * cols), Math.exp);
    const sum = row.reduce((a, b) => a + b);
    row.forEach((v, c) => expected[r * cols + c] = v / sum);
  }
  assertClose(y, expected, 5e-6);
});
