import { weightNormLinear } from "../../lib/ops/weight_norm.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";
import { doubled, eachLanes, values } from "../support/ops.ts";

/** x [R, D] · (g · v / ‖v‖)ᵀ, v [K, D]. */
function reference(x: Float64Array, v: Float64Array, g: Float64Array): Float64Array {
  const dim = v.length / g.length;
  const w = v.map((value, i) => {
    const k = Math.floor(i / dim);
    return g[k] * value / Math.hypot(...v.subarray(k * dim, (k + 1) * dim));
  });
  return matmulF64(x, w, [x.length / dim, dim, g.length], false, true);
}

for (const [rows, dim, k] of [[1, 1, 1], [3, 7, 67], [67, 67, 3], [5, 68, 7]]) {
  gpuTest(
    `weightNormLinear() equals f64, forward and backward, at x [${rows}, ${dim}], v [${k}, ${dim}]`,
    async (gpu) => {
      const [x, v, g, dy] = [rows * dim, k * dim, k, rows * k].map((n, i) => normals(n, i + 1));
      await eachLanes(gpu, async (what) => {
        const [y, dx, dv, dg, fixed] = await values(gpu, () => {
          const weight = { data: gpu.tensor(v, [k, dim]), grad: gpu.empty([k, dim]) };
          const length = { data: gpu.tensor(g, [k, 1]), grad: gpu.empty([k, 1]) };
          const alone = { data: weight.data, grad: gpu.empty([k, dim]) };
          const input = gpu.tensor(x, [rows, dim]);
          const gradient = gpu.tensor(dy, [rows, k]);
          const { y, backward } = weightNormLinear(gpu, input, weight, length);
          const dx = backward(gradient);
          backward(gradient);
          // As in DINO: g stays 1 and has no gradient.
          weightNormLinear(gpu, input, alone, { data: length.data }).backward(gradient);
          return [y, dx, weight.grad, length.grad, alone.grad];
        });
        const inputs = [x, v, g];
        const [x64, v64, g64] = inputs.map((t) => Float64Array.from(t));
        assertClose(y, reference(x64, v64, g64), 2e-6, `y, ${what}`);
        assertGradient(dx, reference, inputs, 0, dy, 2e-6, `dx, ${what}`);
        assertGradient(dg, reference, inputs, 2, doubled(dy), 2e-6, `dg, ${what}`);
        if (dim === 1) return; // v / ‖v‖ is a sign: its gradient is 0 but for rounding
        assertGradient(dv, reference, inputs, 1, doubled(dy), 2e-6, `dv, ${what}`);
        assertGradient(fixed, reference, inputs, 1, dy, 2e-6, `dv with fixed g, ${what}`);
      });
    },
  );
}

for (const dim of [7, 8]) {
  gpuTest(
    `weightNormLinear() equals f64 for directions of extreme lengths in ${dim} dimensions`,
    async (gpu) => {
      const rows = 3;
      const scales = [1e4, 1e-4, 1e-12, 1e-30, 1e30];
      const x = normals(rows * dim, 1), g = scales.map(() => 1);
      const v = normals(scales.length * dim, 2).map((value, i) =>
        value * scales[Math.floor(i / dim)]
      );
      const dy = normals(rows * scales.length, 3);
      await eachLanes(gpu, async (what) => {
        const [y, dv] = await values(gpu, () => {
          const weight = {
            data: gpu.tensor(v, [scales.length, dim]),
            grad: gpu.empty([scales.length, dim]),
          };
          const length = { data: gpu.tensor(new Float32Array(g), [scales.length, 1]) };
          const { y, backward } = weightNormLinear(gpu, gpu.tensor(x, [rows, dim]), weight, length);
          backward(gpu.tensor(dy, y.shape));
          return [y, weight.grad];
        });
        const inputs = [x, v, g].map((t) => Float64Array.from(t));
        assertClose(y, reference(inputs[0], inputs[1], inputs[2]), 2e-6, `y, ${what}`);
        scales.forEach((scale, k) => {
          const f = (row: Float64Array) => reference(inputs[0], row, Float64Array.of(1));
          const row = inputs[1].subarray(k * dim, (k + 1) * dim);
          const column = Array.from({ length: rows }, (_, r) => dy[r * scales.length + k]);
          const found = dv.subarray(k * dim, (k + 1) * dim);
          assertGradient(found, f, [row], 0, column, 2e-6, `dv at ${scale}, ${what}`);
        });
      });
    },
  );
}
