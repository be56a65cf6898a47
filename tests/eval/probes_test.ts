import assert from "node:assert/strict";
import { agreement, kMeans } from "../../lib/eval/clusters.ts";
import type { FeatureArray } from "../../lib/eval/features.ts";
import { ridgeProbe } from "../../lib/eval/ridge.ts";
import { alignment, uniformity } from "../../lib/eval/sphere.ts";
import { encodeNpy } from "../../lib/io/npy.ts";
import { Rng } from "../../lib/rng.ts";

/** Rows around a centre per class. */
function blobs(
  classes: number,
  each: number,
  dim: number,
  spread: number,
): FeatureArray & { labels: Int32Array } {
  const rng = new Rng(7, classes, dim);
  const centers = Array.from({ length: classes * dim }, () => rng.uniform(-1, 1));
  const labels = Int32Array.from({ length: classes * each }, (_, i) => i % classes);
  const data = Float32Array.from(
    { length: classes * each * dim },
    (_, i) => centers[labels[Math.floor(i / dim)] * dim + i % dim] + rng.uniform(-spread, spread),
  );
  return { data, shape: [classes * each, dim], labels };
}

Deno.test("kMeans() finds separate clusters, the same ones for the same seed", () => {
  const features = blobs(4, 30, 5, 0.1);
  const { labels, inertia } = kMeans(features, 4, { seed: 3 });
  assert.equal(agreement(labels, features.labels).ari, 1);
  assert.deepEqual(kMeans(features, 4, { seed: 3 }), { labels, inertia });
  assert.equal(kMeans(features, 1).labels.every((label) => label === 0), true);
  assert.ok(kMeans(features, 120).inertia < 1e-9);
  assert.throws(() => kMeans(features, 121), /1 to 120 clusters.*found 121/);
  assert.throws(() => kMeans({ data: Float32Array.of(NaN), shape: [1, 1] }, 1), {
    name: "HatchlingError",
  });
});

Deno.test("kMeans() does with equal rows", () => {
  const { labels, inertia } = kMeans({ data: new Float32Array(12).fill(1), shape: [6, 2] }, 3);
  assert.equal(inertia, 0);
  assert.equal(labels.length, 6);
});

Deno.test("agreement() equals scikit-learn's figures", () => {
  // scikit-learn 1.2.1: normalized_mutual_info_score, adjusted_rand_score
  const { nmi, ari, purity } = agreement([0, 0, 1, 1, 2, 2, 2, 0], [0, 0, 1, 2, 2, 2, 1, 1]);
  assert.ok(Math.abs(nmi - 0.3987478202411473) < 1e-12, `${nmi}`);
  assert.ok(Math.abs(ari - 0.047619047619047616) < 1e-12, `${ari}`);
  assert.equal(purity, 5 / 8);
  assert.deepEqual(agreement([5, 5, 9], [1, 1, 0]), { nmi: 1, ari: 1, purity: 1 });
  assert.deepEqual(agreement([1, 1, 1], [2, 2, 2]), { nmi: 1, ari: 1, purity: 1 });
  assert.equal(agreement([0, 0, 0, 0], [0, 1, 0, 1]).nmi, 0);
  assert.throws(() => agreement([1], [1, 2]), /as many clusters as classes/);
});

Deno.test("ridgeProbe() equals probes fitted to all other rows", () => {
  const features = blobs(3, 9, 4, 0.9);
  const { data, shape: [rows, dim], labels } = features;
  const { top1, lambda } = ridgeProbe(features, labels);
  // Standardised once, as the probe does it; then each row is left out by hand.
  const x = Array.from(
    { length: rows },
    (_, r) => Array.from(data.subarray(r * dim, (r + 1) * dim)),
  );
  for (let d = 0; d < dim; d++) {
    const mean = x.reduce((sum, row) => sum + row[d], 0) / rows;
    const std = Math.sqrt(x.reduce((sum, row) => sum + (row[d] - mean) ** 2, 0) / rows);
    for (const row of x) row[d] = (row[d] - mean) / std;
  }
  let right = 0;
  for (let out = 0; out < rows; out++) {
    // (XᵀX + λ) w = Xᵀy with an intercept that is not penalised, without row `out`.
    const others = x.map((row) => [...row, 1]).filter((_, r) => r !== out);
    const y = [...labels].filter((_, r) => r !== out);
    const gram = Array.from(
      { length: dim + 1 },
      (_, i) =>
        Array.from(
          { length: dim + 1 },
          (_, j) =>
            others.reduce((sum, row) => sum + row[i] * row[j], 0) +
            (i === j && i < dim ? lambda * rows : 0),
        ),
    );
    const outputs = [0, 1, 2].map((c) => {
      const w = solve(
        gram,
        Array.from(
          { length: dim + 1 },
          (_, i) => others.reduce((sum, row, r) => sum + row[i] * (y[r] === c ? 1 : 0), 0),
        ),
      );
      return [...x[out], 1].reduce((sum, value, i) => sum + value * w[i], 0);
    });
    if (outputs.indexOf(Math.max(...outputs)) === labels[out]) right++;
  }
  assert.equal(top1, 100 * right / rows);
  assert.ok(top1 > 40 && top1 < 100);
  assert.equal(ridgeProbe(blobs(3, 9, 4, 0.01), labels).top1, 100);
  assert.throws(() => ridgeProbe(features, new Int32Array(rows)), /two or more classes/);
});

/** Gaussian elimination with pivots. */
function solve(a: number[][], b: number[]): number[] {
  const m = a.map((row, i) => [...row, b[i]]);
  for (let i = 0; i < m.length; i++) {
    const pivot = m.slice(i).reduce(
      (best, row, r) => Math.abs(row[i]) > Math.abs(m[best][i]) ? i + r : best,
      i,
    );
    [m[i], m[pivot]] = [m[pivot], m[i]];
    for (let r = 0; r < m.length; r++) {
      if (r === i) continue;
      const factor = m[r][i] / m[i][i];
      m[r] = m[r].map((value, c) => value - factor * m[i][c]);
    }
  }
  return m.map((row, i) => row[m.length] / row[i]);
}

Deno.test("alignment() and uniformity() equal their definitions", () => {
  const a = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] };
  assert.equal(alignment(a, a), 0);
  const pairs = [2, 4, 2].map((squared) => Math.exp(-2 * squared));
  assert.ok(Math.abs(uniformity(a) - Math.log(pairs.reduce((x, y) => x + y) / 3)) < 1e-12);
});

Deno.test("encodeNpy() writes version 1.0 with data at a multiple of 64", () => {
  const bytes = encodeNpy(Float32Array.of(1.5, -2, 3, 4, 5, 6), [3, 2]);
  const header = new DataView(bytes.buffer).getUint16(8, true);
  assert.equal((10 + header) % 64, 0);
  assert.match(
    new TextDecoder().decode(bytes.subarray(10, 10 + header)),
    /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(3, 2\), \} *\n$/,
  );
  assert.equal(new DataView(bytes.buffer).getFloat32(10 + header + 4, true), -2);
  assert.throws(() => encodeNpy(new Float32Array(3), [2, 2]), /Expected 4 numbers/);
});
