import assert from "node:assert/strict";
import { layerScale, layerScaleBackward } from "../../lib/ops.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { doubled, eachLanes, values } from "../support/ops.ts";

const SHAPES: [rows: number, dim: number][] = [[1, 1], [5, 7], [33, 8], [17, 36], [4100, 5]];

for (const [rows, dim] of SHAPES) {
  gpuTest(`layerScale() equals f64 both ways, for [${rows}, ${dim}]`, async (gpu) => {
    const n = rows * dim;
    const [h, gamma, x] = [normals(n, 1), normals(dim, 2), normals(n, 3)], dy = normals(n, 4);
    const reference = (h: Float64Array, g: Float64Array, x: Float64Array) =>
      h.map((v, i) => v * g[i % dim] + x[i]);
    await eachLanes(gpu, async (what) => {
      const [y, alone, dh, dGamma] = await values(gpu, () => {
        const [h1, x1, dy1] = [h, x, dy].map((t) => gpu.tensor(t, [rows, dim]));
        const weight = { data: gpu.tensor(gamma), grad: gpu.empty([dim]) };
        layerScaleBackward(gpu, h1, weight, dy1);
        return [
          layerScale(gpu, h1, weight, x1),
          layerScale(gpu, h1, weight),
          layerScaleBackward(gpu, h1, weight, dy1), // added to the first
          weight.grad,
        ];
      });
      const inputs = [h, gamma, x];
      const [h64, g64, x64] = inputs.map((t) => Float64Array.from(t));
      assertClose(y, reference(h64, g64, x64), 2e-7, `y, ${what}`);
      assertClose(alone, reference(h64, g64, x64.fill(0)), 2e-7, `without a residual, ${what}`);
      assertGradient(dh, reference, inputs, 0, dy, 1e-6, `h, ${what}`);
      assertGradient(dGamma, reference, inputs, 1, doubled(dy), 3e-6, `gamma, added up, ${what}`);
    });
  });
}

gpuTest("layerScale() takes extremes, and factors without a gradient", async (gpu) => {
  const h = Float32Array.of(1e30, -1e-30, 0, 3), gamma = Float32Array.of(1e-5, 1e5);
  const [y, dh] = await values(gpu, () => {
    const weight = { data: gpu.tensor(gamma) };
    const h1 = gpu.tensor(h, [2, 2]);
    return [layerScale(gpu, h1, weight), layerScaleBackward(gpu, h1, weight, h1)];
  });
  for (const found of [y, dh]) assertClose(found, h.map((v, i) => v * gamma[i % 2]), 1e-7);
  assertClose(y.subarray(1), [-1e-25, 0, 3e5], 1e-7);
});

gpuTest("layerScale() refuses sizes that do not fit", (gpu) => {
  gpu.scope(() => {
    const h = gpu.empty([2, 3]), gamma = { data: gpu.empty([2]) };
    assert.throws(() => layerScale(gpu, h, gamma), /expected 3 factors .* but found .*\[2\]/);
    const right = { data: gpu.empty([3]) };
    assert.throws(() => layerScale(gpu, h, right, gpu.empty([3])), /a residual like/);
    return [];
  });
});
