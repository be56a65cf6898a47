import assert from "node:assert/strict";
import { l2Normalize } from "../../lib/eval/features.ts";
import { prototypeUsage } from "../../lib/eval/prototypes.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";

const [n, K, dim, TEMPERATURE] = [61, 37, 6, 0.07];
const bottlenecks = {
  data: l2Normalize(normals(n * dim, 1), dim),
  shape: [n, dim] as [number, number],
};
const v = normals(K * dim, 2), g = normals(K, 3).map((x) => 1 + Math.abs(x));

function layer(gpu: Gpu) {
  const [data, lengths] = [gpu.tensor(v, [K, dim]), gpu.tensor(g, [K, 1])];
  return {
    layer: { weightV: { data }, weightG: { data: lengths } },
    free: () => [data, lengths].forEach((t) => t.destroy()),
  };
}

/** Probabilities [n, K] in float64. */
function expected(center: ArrayLike<number>) {
  const w = Float64Array.from(v, (x, i) => {
    const k = Math.floor(i / dim);
    return g[k] * x / Math.hypot(...v.subarray(k * dim, (k + 1) * dim));
  });
  const logits = matmulF64(bottlenecks.data, w, [n, dim, K], false, true);
  const mean = Array.from({ length: K }, (_, k) => {
    let sum = 0;
    for (let r = 0; r < n; r++) sum += logits[r * K + k] / n;
    return sum;
  });
  const of = (c: ArrayLike<number>) =>
    Array.from({ length: n }, (_, r) => {
      const e = Array.from({ length: K }, (_, k) =>
        Math.exp((logits[r * K + k] - c[k]) / TEMPERATURE));
      const total = e.reduce((a, b) =>
        a + b
      );
      return e.map((x) => x / total);
    });
  return { given: of(center), mean: of(mean) };
}

const entropy = (p: number[]) => p.reduce((sum, x) => x > 0 ? sum - x * Math.log(x) : sum, 0);

gpuTest(
  "prototypeUsage() agrees with softmax in float64, in one piece and in many",
  async (gpu) => {
    const center = normals(K, 4, 0.3);
    const { layer: last, free } = layer(gpu);
    const all = expected(center);
    for (const [which, probabilities] of [[center, all.given], ["mean", all.mean]] as const) {
      const options = { temperature: TEMPERATURE, center: which, most: 5, pictures: 4 };
      const found = await prototypeUsage(gpu, bottlenecks, last, options);
      const best = probabilities.map((p) => p.indexOf(Math.max(...p)));
      const counts = Array.from({ length: K }, (_, k) => best.filter((b) => b === k).length);
      assert.deepEqual([...found.counts], counts);
      assert.equal(found.used, counts.filter(Boolean).length);
      const mean = counts.map((_, k) => probabilities.reduce((sum, p) => sum + p[k] / n, 0));
      assertClose([found.meanEntropy], [entropy(mean)], 1e-5);
      assertClose([found.entropy], [probabilities.reduce((s, p) => s + entropy(p) / n, 0)], 1e-5);
      const order = [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b).slice(0, 5);
      assert.deepEqual(found.prototypes.map(({ index }) => index), order);
      for (const { index, count, rows, probability } of found.prototypes) {
        assert.equal(count, counts[index]);
        const by = [...probabilities.keys()].sort((a, b) =>
          probabilities[b][index] - probabilities[a][index]
        );
        assert.deepEqual(rows, by.slice(0, 4));
        assertClose(probability, rows.map((r) => probabilities[r][index]), 1e-4);
      }
      const pieces = await prototypeUsage(gpu, bottlenecks, last, { ...options, chunkBytes: 1 });
      assert.deepEqual(
        pieces.prototypes.map(({ rows }) => rows),
        found.prototypes.map(({ rows }) => rows),
      );
      assertClose([pieces.entropy], [found.entropy], 1e-5);
    }
    free();
  },
);

gpuTest("prototypeUsage() names fewer prototypes where fewer are used", async (gpu) => {
  const { layer: last, free } = layer(gpu);
  const center = new Float32Array(K);
  center[7] = -100; // takes everything
  const options = { temperature: 0.01, center, most: 5, pictures: 100 };
  const found = await prototypeUsage(gpu, bottlenecks, last, options);
  assert.deepEqual(found.prototypes.map(({ index, count }) => [index, count]), [[7, n]]);
  assert.deepEqual([found.used, found.entropy], [1, 0]);
  assert.ok(Math.abs(found.meanEntropy) < 1e-12);
  assert.equal(found.prototypes[0].rows.length, n);
  free();
});

gpuTest("prototypeUsage() refuses what does not fit", async (gpu) => {
  const { layer: last, free } = layer(gpu);
  const options = { temperature: 0.1, center: null, most: 1, pictures: 1 };
  const narrow = { data: new Float32Array(8), shape: [2, 4] as [number, number] };
  await assert.rejects(prototypeUsage(gpu, narrow, last, options), /\[n, 6\] .* found D 4/);
  const center = new Float32Array(3);
  await assert.rejects(
    prototypeUsage(gpu, bottlenecks, last, { ...options, center }),
    /centre of 37 numbers, .* found 3/,
  );
  await assert.rejects(
    prototypeUsage(gpu, bottlenecks, last, { ...options, temperature: 0 }),
    /temperature > 0 but found 0/,
  );
  await assert.rejects(
    prototypeUsage(gpu, bottlenecks, last, { ...options, center: new Float32Array(K).fill(NaN) }),
    /finite logits .* picture 0/,
  );
  free();
});
