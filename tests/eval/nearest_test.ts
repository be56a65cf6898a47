import assert from "node:assert/strict";
import { l2Normalize } from "../../lib/eval/features.ts";
import { nearest } from "../../lib/eval/nearest.ts";
import { gpuTest } from "../support/gpu.ts";
import { matmulF64, normals } from "../support/numbers.ts";

const rows = (n: number, dim: number, seed: number) => ({
  data: l2Normalize(normals(n * dim, seed), dim),
  shape: [n, dim],
});

gpuTest("nearest() agrees with sorting similarities in float64", async (gpu) => {
  const [m, n, dim, k] = [70, 203, 7, 9];
  const queries = rows(m, dim, 1), gallery = rows(n, dim, 2);
  const found = await nearest(gpu, queries, gallery, k);
  assert.equal(found.indices.length, m * k);
  const expected = matmulF64(queries.data, gallery.data, [m, dim, n], false, true);
  for (let row = 0; row < m; row++) {
    const line = expected.subarray(row * n, (row + 1) * n);
    const order = [...line.keys()].sort((a, b) => line[b] - line[a]).slice(0, k);
    assert.deepEqual([...found.indices.subarray(row * k, (row + 1) * k)], order);
    order.forEach((index, i) => {
      assert(Math.abs(found.similarity[row * k + i] - line[index]) < 1e-6);
    });
  }
});

gpuTest("nearest() gives the same in one piece, in many, and from the GPU", async (gpu) => {
  const queries = rows(150, 12, 3), gallery = rows(333, 12, 4);
  const whole = await nearest(gpu, queries, gallery, 20);
  const pieces = await nearest(gpu, queries, gallery, 20, { chunkBytes: 1 });
  assert.deepEqual(pieces, whole);
  const tensors = [queries, gallery].map(({ data, shape }) => gpu.tensor(data, shape));
  const onGpu = await nearest(gpu, tensors[0], tensors[1], 20, { chunkBytes: 64 * 100 * 4 });
  assert.deepEqual(onGpu, whole);
  for (const tensor of tensors) tensor.destroy();
});

gpuTest("nearest() breaks ties by index and passes over excluded rows", async (gpu) => {
  const same = { data: new Float32Array(200).fill(0.5), shape: [100, 2] };
  const { indices } = await nearest(gpu, same, same, 3, {
    exclude: Int32Array.from({ length: 100 }, (_, i) => i),
    chunkBytes: 1,
  });
  assert.deepEqual([...indices.subarray(0, 3)], [1, 2, 3]);
  assert.deepEqual([...indices.subarray(6, 9)], [0, 1, 3]);
  assert.deepEqual([...indices.subarray(297)], [0, 1, 2]);
});

gpuTest(
  "nearest() finds the same among the rows themselves as among a copy of them",
  async (gpu) => {
    for (const [n, dim] of [[1, 3], [64, 5], [333, 12]]) {
      const own = rows(n, dim, 5), copy = { data: own.data.slice(), shape: own.shape };
      for (const exclude of [undefined, Int32Array.from({ length: n }, (_, i) => i)]) {
        const k = Math.min(20, exclude ? n - 1 : n);
        if (k < 1) continue;
        const expected = await nearest(gpu, own, copy, k, { exclude });
        for (const chunkBytes of [undefined, 1, 4 * 128 * 128]) {
          assert.deepEqual(await nearest(gpu, own, own, k, { exclude, chunkBytes }), expected);
        }
      }
    }
  },
);

gpuTest("nearest() throws when shapes, k or values are wrong", async (gpu) => {
  const a = rows(4, 3, 5), b = rows(5, 3, 6);
  const none = { exclude: [-1, -1, -1, -1] };
  await assert.rejects(nearest(gpu, a, rows(5, 2, 1), 1), /gallery \[n, 3\] .* found D 2/);
  await assert.rejects(nearest(gpu, a, b, 6), /k from 1 to 5.*found 6: lower k/);
  await assert.rejects(nearest(gpu, a, b, 5, none), /k from 1 to 4.*found 5/);
  await assert.rejects(nearest(gpu, a, b, 0), /k from 1/);
  await assert.rejects(nearest(gpu, a, b, 1, { exclude: [1] }), /4 excluded indices but found 1/);
  const bad = { data: new Float32Array([1, Infinity]), shape: [1, 2] };
  await assert.rejects(nearest(gpu, bad, rows(5, 2, 1), 1), /finite queries but found Infinity/);
});
