import assert from "node:assert/strict";
import { openGpu } from "../../lib/gpu.ts";
import { matmul } from "../../lib/ops/matmul.ts";
import { splitsOf } from "../../lib/ops/matmul/variants.ts";
import { gpuTest } from "../support/gpu.ts";
import { type ProductCase, SIZES, testVariant } from "../support/matmul.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";

// Each combination of transposes, whole and partial vec4s in A, B and C, and a K that is no multiple of 4
// is a pipeline of its own, which software adapters take up to a second to compile. So each kernel sees a few,
// at several sizes: one element, less than a tile, more than a workgroup's 32 or 64 rows and columns.
const ANY: ProductCase[] = [
  { m: 1, k: 1, n: 1 },
  { m: 65, k: 127, n: 67 },
  { m: 8, k: 8, n: 8 },
  { m: 3, k: 260, n: 4 },
  { m: 17, k: 3, n: 33, transB: true },
  { m: 31, k: 20, n: 67, transB: true },
  { m: 20, k: 5, n: 72, transA: true },
  { m: 7, k: 9, n: 11, transA: true },
  { m: 5, k: 3, n: 7, transA: true, transB: true },
];
const CASES: Record<"plain" | "subgroup" | "naive", ProductCase[]> = {
  plain: ANY,
  subgroup: [
    { m: 1, k: 4, n: 4 },
    { m: 39, k: 12, n: 132 },
    { m: 17, k: 8, n: 4, transB: true },
    { m: 33, k: 68, n: 132, transB: true },
    { m: 20, k: 5, n: 8, transA: true },
    { m: 132, k: 1, n: 4, transA: true },
    { m: 36, k: 71, n: 68, transA: true },
    { m: 4, k: 4, n: 4, transA: true, transB: true },
    { m: 68, k: 20, n: 132, transA: true, transB: true },
  ],
  naive: [
    { m: 1, k: 1, n: 1 },
    { m: 5, k: 17, n: 11 },
    { m: 3, k: 70, n: 8, transB: true },
    { m: 17, k: 5, n: 64, transA: true },
    { m: 7, k: 9, n: 4, transA: true, transB: true },
  ],
};
for (const variant of ["plain", "subgroup", "naive"] as const) testVariant(variant, CASES[variant]);

gpuTest("matmul() refuses splits that are none", (gpu) => {
  gpu.scope(() => {
    const a = gpu.empty([4, 4], "a");
    for (const splits of [0, 1.5, NaN, -1]) {
      assert.throws(() => matmul(gpu, a, a, { splits }), /splits to be whole and at least 1 but/);
    }
  });
});

gpuTest("matmul() leaves nothing behind but its product", async (gpu) => {
  const [a, out] = [gpu.tensor(normals(64 * 64, 1), [64, 64]), gpu.persistent([64, 64])];
  const before = gpu.memory.liveBytes;
  for (const splits of [1, 3]) matmul(gpu, a, a, { out, splits, accumulate: true });
  await gpu.idle();
  assert.equal(gpu.memory.liveBytes, before);
  for (const t of [a, out]) t.destroy();
});

gpuTest("matmul() splits long sums where there are few workgroups", async (gpu) => {
  const [m, k, n] = [4, 1100, 8];
  assert.ok(splitsOf(gpu, "plain", { ...SIZES, m, k, n }) > 1);
  assert.equal(splitsOf(gpu, "plain", { ...SIZES, m: 1000, k, n: 1000 }), 1, "enough of them");
  const da = normals(k * m, 1), db = normals(k * n, 2);
  const [y] = await values(gpu, () => {
    const [a, b] = [gpu.tensor(da, [k, m]), gpu.tensor(db, [k, n])];
    return [matmul(gpu, a, b, { transA: true })];
  });
  assertClose(y, matmulF64(da, db, [m, k, n], true), 2e-6);
});

gpuTest("matmul() is right without any optional feature", async () => {
  const gpu = await openGpu({ limits: "portable" });
  const [m, k, n] = [36, 24, 68];
  const da = normals(m * k, 1), db = normals(k * n, 2);
  const [y] = await values(gpu, () => {
    return [matmul(gpu, gpu.tensor(da, [m, k]), gpu.tensor(db, [n, k]), { transB: true })];
  });
  assertClose(y, matmulF64(da, db, [m, k, n], false, true), 2e-6);
  gpu.destroy();
});

gpuTest("matmul() is finite at extremes when the product is", async (gpu) => {
  const [y] = await values(gpu, () => {
    const a = gpu.tensor(new Float32Array([1e30, -1e30, 1e-30, 0]), [2, 2]);
    const b = gpu.tensor(new Float32Array([1e-30, 1e8, 1e-30, 1e8]), [2, 2]);
    return [matmul(gpu, a, b)];
  });
  assertClose(y, [0, 0, 0, 1e-22], 1e-6);
});

gpuTest("matmul() flattens leading dimensions", async (gpu) => {
  const da = normals(2 * 3 * 5, 1), db = normals(5 * 7, 2);
  const [y] = await values(gpu, () => {
    const y = matmul(gpu, gpu.tensor(da, [2, 3, 5]), gpu.tensor(db, [5, 7]));
    assert.deepEqual(y.shape, [2, 3, 7]);
    return [y];
  });
  assertClose(y, matmulF64(da, db, [6, 5, 7]), 2e-6);
});

gpuTest("matmul() names the tensors whose sizes do not fit", (gpu) => {
  const refuses = (options: Parameters<typeof matmul>[3], message: RegExp, inner = 3) => {
    gpu.scope(() => {
      const [a, b] = [gpu.empty([2, 3], "a"), gpu.empty([inner, 5], "b")];
      assert.throws(() => matmul(gpu, a, b, options), message);
    });
  };
  const other = gpu.empty([2, 4], "other");
  refuses({}, /expected equal inner sizes but found 3 in a\[2, 3\] and 4 in b\[4, 5\]/, 4);
  refuses({ bias: other }, /expected 5 elements in bias but found other\[2, 4\]/);
  refuses({ out: other }, /expected 10 elements in out but found other\[2, 4\]/);
  other.destroy();
});
