import assert from "node:assert/strict";
import { matmul } from "../../lib/ops/matmul.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";
import { erf } from "../support/erf.ts";

const SHAPES: [number, number, number][] = [
  [1, 1, 1],
  [3, 5, 7],
  [8, 8, 8],
  [17, 3, 33],
  [65, 127, 31],
  [64, 36, 20],
  [9, 260, 4],
  [31, 18, 64],
];

for (const tile of ["8x8", "16x16"] as const) {
  gpuTest(
    `matmul() equals the f64 product at odd shapes in every transpose, tile ${tile}`,
    async (gpu) => {
      for (const [m, k, n] of SHAPES) {
        const da = normals(m * k, 1), db = normals(k * n, 2);
        const a = gpu.tensor(da), b = gpu.tensor(db);
        for (
          const [transA, transB] of [[false, false], [false, true], [true, false], [true, true]]
        ) {
          const y = matmul(
            gpu,
            a.view(transA ? [k, m] : [m, k]),
            b.view(transB ? [n, k] : [k, n]),
            { transA, transB, tile },
          );
          assert.deepEqual(y.shape, [m, n]);
          assertClose(
            await y.read(),
            matmulF64(da, db, [m, k, n], transA, transB),
            2e-6,
            `${[m, k, n]} ${transA} ${transB}`,
          );
          y.destroy();
        }
        a.destroy();
        b.destroy();
      }
    },
  );

  gpuTest(`matmul() applies its epilogues in order, tile ${tile}`, async (gpu) => {
    const [m, k, n] = [19, 12, 22];
    const [da, db, dBias, dAux] = [
      normals(m * k, 3),
      normals(k * n, 4),
      normals(n, 5),
      normals(m * n, 6),
    ];
    const [a, b, bias, aux] = [
      gpu.tensor(da, [m, k]),
      gpu.tensor(db, [k, n]),
      gpu.tensor(dBias),
      gpu.tensor(dAux, [m, n]),
    ];
    const product = matmulF64(da, db, [m, k, n]);
    const gelu = (x: number) => 0.5 * x * (1 + erf(x * Math.SQRT1_2));
    const slope = (x: number) =>
      0.5 * (1 + erf(x * Math.SQRT1_2)) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
    const pre = gpu.empty([m, n]);
    const y = matmul(gpu, a, b, { bias, geluPre: pre, tile });
    assertClose(await pre.read(), product.map((v, i) => v + dBias[i % n]), 2e-6, "pre");
    assertClose(await y.read(), product.map((v, i) => gelu(v + dBias[i % n])), 2e-6, "gelu");
    const z = matmul(gpu, a, b, { geluGradOf: aux, tile });
    assertClose(await z.read(), product.map((v, i) => v * slope(dAux[i])), 2e-6, "gelu'");
    matmul(gpu, a, b, { add: aux, out: z, tile });
    matmul(gpu, a, b, { bias, out: z, accumulate: true, tile });
    assertClose(
      await z.read(),
      product.map((v, i) => 2 * v + dAux[i] + dBias[i % n]),
      2e-6,
      "add, accumulate",
    );
    for (const t of [a, b, bias, aux, pre, y, z]) t.destroy();
  });
}

gpuTest("matmul() keeps infinities and is finite at extremes when the product is", async (gpu) => {
  const a = gpu.tensor(new Float32Array([1e30, -1e30, 1e-30, 0]), [2, 2]);
  const b = gpu.tensor(new Float32Array([1e-30, 1e8, 1e-30, 1e8]), [2, 2]);
  const y = matmul(gpu, a, b);
  assertClose(await y.read(), [0, 0, 0, 1e-22], 1e-6);
  for (const t of [a, b, y]) t.destroy();
});

gpuTest("matmul() names both tensors when inner sizes differ", (gpu) => {
  const a = gpu.empty([2, 3], "a"), b = gpu.empty([4, 5], "b");
  assert.throws(
    () => matmul(gpu, a, b),
    /expected equal inner sizes but found 3 in a\[2, 3\] and 4 in b\[4, 5\]/,
  );
  a.destroy();
  b.destroy();
});
