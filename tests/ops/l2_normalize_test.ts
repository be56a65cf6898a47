import { l2Normalize } from "../../lib/ops/l2_normalize.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes, values } from "../support/ops.ts";

const EPS = 1e-12;

function reference(x: Float64Array, dim: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let r = 0; r < x.length; r += dim) {
    const norm = Math.max(Math.hypot(...x.subarray(r, r + dim)), EPS);
    for (let d = 0; d < dim; d++) y[r + d] = x[r + d] / norm;
  }
  return y;
}

for (const [rows, dim] of [[1, 1], [3, 7], [131, 3], [5, 67], [3, 68]]) {
  gpuTest(`l2Normalize() equals f64, forward and backward, at [${rows}, ${dim}]`, async (gpu) => {
    const x = normals(rows * dim, 1), dy = normals(rows * dim, 2);
    await eachLanes(gpu, async (what) => {
      const [y, dx] = await values(gpu, () => {
        const { y, backward } = l2Normalize(gpu, gpu.tensor(x, [rows, dim]));
        return [y, backward(gpu.tensor(dy, [rows, dim]))];
      });
      assertClose(y, reference(Float64Array.from(x), dim), 1e-6, `y, ${what}`);
      const f = (x: Float64Array) => reference(x, dim);
      // A row of one element has no gradient: dy − y (dy · y) is rounding, of 1/|x|.
      if (dim > 1) assertGradient(dx, f, [x], 0, dy, 2e-6, `dx, ${what}`);
      else assertClose([1 + dx[0] * x[0]], [1], 1e-6, `dx, ${what}`);
    });
  });
}

for (const dim of [67, 68]) {
  gpuTest(
    `l2Normalize() equals f64 in rows of ${dim} extreme values, forward and backward`,
    async (gpu) => {
      const noise = normals(dim, 3), dy = normals(dim, 4);
      const scales = { "1e4": 1e4, "1e30": 1e30, "1e-6": 1e-6, "1e-11": 1e-11, "1e-30": 1e-30 };
      const rows: Record<string, Float32Array> = {
        zeros: noise.map(() => 0),
        equal: noise.map(() => 3),
      };
      for (const [name, scale] of Object.entries(scales)) rows[name] = noise.map((v) => v * scale);
      const x = Float32Array.from(Object.values(rows).flatMap((row) => [...row]));
      const count = x.length / dim;
      await eachLanes(gpu, async (what) => {
        const [y, dx] = await values(gpu, () => {
          const { y, backward } = l2Normalize(gpu, gpu.tensor(x, [count, dim]));
          const gradient = Float32Array.from({ length: x.length }, (_, i) => dy[i % dim]);
          return [y, backward(gpu.tensor(gradient, [count, dim]))];
        });
        Object.entries(rows).forEach(([name, row], i) => {
          const [from, to] = [i * dim, (i + 1) * dim];
          const expected = reference(Float64Array.from(row), dim);
          assertClose(y.subarray(from, to), expected, 1e-6, `y, ${name}, ${what}`);
          const norm = Math.hypot(...row);
          if (norm < EPS) {
            // Below eps the norm is a constant.
            const constant = dy.map((v) => v / EPS);
            assertClose(dx.subarray(from, to), constant, 1e-6, `dx, ${name}, ${what}`);
          } else {
            const f = (x: Float64Array) => reference(x, dim);
            assertGradient(dx.subarray(from, to), f, [row], 0, dy, 2e-6, `dx, ${name}, ${what}`);
          }
        });
      });
    },
  );
}
