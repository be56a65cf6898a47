import type { Gpu } from "../../lib/gpu.ts";
import { layerNorm } from "../../lib/ops/layer_norm.ts";
import { assertGradient } from "../support/gradients.ts";
import { asGpu, gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { doubled, eachLanes, values } from "../support/ops.ts";

const EPS = 1e-6;

/** As software adapters and GPUs share rows among lanes, as this adapter does, and as a GPU does. */
async function eachWay(gpu: Gpu, fn: (what: string) => Promise<void>): Promise<void> {
  await eachLanes(gpu, fn);
  await asGpu(gpu, () => fn("a GPU's kernels"));
}

/** Layer norm over rows as long as the weight. */
function reference(x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array {
  const dim = weight.length;
  const y = new Float64Array(x.length);
  for (let r = 0; r < x.length; r += dim) {
    const row = x.subarray(r, r + dim);
    const mean = row.reduce((a, b) => a + b) / dim;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / dim;
    row.forEach((v, d) => y[r + d] = (v - mean) / Math.sqrt(variance + EPS) * weight[d] + bias[d]);
  }
  return y;
}

// One element, fewer and more columns than lanes, in whole vec4s or not, blocks and chunks of the weight gradient.
for (
  const [rows, dim] of [[1, 1], [3, 7], [131, 5], [2, 67], [33, 68], [4100, 4], [5, 512], [9, 1024]]
) {
  gpuTest(`layerNorm() equals f64, forward and backward, at [${rows}, ${dim}]`, async (gpu) => {
    const [x, w, b, dy, dz] = [rows * dim, dim, dim, rows * dim, rows * dim].map((n, i) =>
      normals(n, i + 1)
    );
    await eachWay(gpu, async (what) => {
      const [y, dx, dxPlus, dw, db] = await values(gpu, () => {
        const weight = { data: gpu.tensor(w), grad: gpu.empty([dim]) };
        const bias = { data: gpu.tensor(b), grad: gpu.empty([dim]) };
        const { y, backward } = layerNorm(gpu, gpu.tensor(x, [rows, dim]), weight, bias);
        const gradient = gpu.tensor(dy, [rows, dim]);
        return [
          y,
          backward(gradient),
          backward(gradient, gpu.tensor(dz, [rows, dim])),
          weight.grad,
          bias.grad,
        ];
      });
      const inputs = [x, w, b];
      const [x64, w64, b64] = inputs.map((v) => Float64Array.from(v));
      assertClose(y, reference(x64, w64, b64), 1e-6, `y, ${what}`);
      assertGradient(dx, reference, inputs, 0, dy, 2e-6, `dx, ${what}`);
      const residual = (x: Float64Array, w: Float64Array, b: Float64Array) => [
        ...reference(x, w, b),
        ...x, // what bypasses the norm, with the gradient dz
      ];
      assertGradient(dxPlus, residual, inputs, 0, [...dy, ...dz], 2e-6, `dx + residual, ${what}`);
      // Backward ran twice: the second time added.
      assertGradient(dw, reference, inputs, 1, doubled(dy), 2e-6, `dw, ${what}`);
      assertGradient(db, reference, inputs, 2, doubled(dy), 2e-6, `db, ${what}`);
    });
  });
}

for (const dim of [67, 68]) {
  gpuTest(`layerNorm() equals f64 in rows of ${dim} extreme values`, async (gpu) => {
    const noise = normals(dim, 9);
    const rows = {
      "zeros": noise.map(() => 0),
      "equal": noise.map(() => 12345.678),
      "equal, small": noise.map(() => -0.1),
      "1e4 and -1e4": noise.map((v) => v < 0 ? -1e4 : 1e4),
      "around 1e-30": noise.map((v) => v * 1e-30),
      "around 100": noise.map((v) => v + 100),
      "huge": noise.map((v) => v * 1e17),
      "one outlier": noise.map((v, i) => i === 0 ? 1e4 : v * 1e-3),
    };
    const x = Float32Array.from(Object.values(rows).flatMap((row) => [...row]));
    const w = normals(dim, 10);
    await eachWay(gpu, async (what) => {
      const [y] = await values(gpu, () => {
        const [weight, bias] = [{ data: gpu.tensor(w) }, { data: gpu.persistent([dim]) }];
        return [layerNorm(gpu, gpu.tensor(x, [x.length / dim, dim]), weight, bias).y];
      });
      Object.entries(rows).forEach(([name, row], i) => {
        const expected = reference(
          Float64Array.from(row),
          Float64Array.from(w),
          new Float64Array(dim),
        );
        // Equal values differ from their mean by nothing; f64 sums leave 1e-11.
        const exact = name.startsWith("equal") ? expected.map(() => 0) : expected;
        assertClose(y.subarray(i * dim, (i + 1) * dim), exact, 1e-5, `${name}, ${what}`);
      });
    });
  });
}

gpuTest("layerNorm() leaves weights without a gradient alone", async (gpu) => {
  const [dx] = await values(gpu, () => {
    const weight = { data: gpu.tensor(normals(5, 1)) };
    const bias = { data: gpu.tensor(normals(5, 2)), grad: gpu.persistent([5]) };
    const { backward } = layerNorm(gpu, gpu.tensor(normals(10, 3), [2, 5]), weight, bias);
    backward(gpu.tensor(normals(10, 4), [2, 5]));
    return [bias.grad];
  });
  const dy = normals(10, 4);
  assertClose(dx, Array.from({ length: 5 }, (_, i) => dy[i] + dy[i + 5]), 1e-6, "db alone");
});
