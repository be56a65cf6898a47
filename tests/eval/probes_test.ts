import assert from "node:assert/strict";
import { agreement, kMeans } from "../../lib/eval/clusters.ts";
import type { FeatureArray } from "../../lib/eval/features.ts";
import { linearProbe } from "../../lib/eval/linear_probe.ts";
import { ridgeProbe } from "../../lib/eval/ridge.ts";
import { alignment, uniformity } from "../../lib/eval/sphere.ts";
import { encodeNpy } from "../../lib/io/npy.ts";
import { Rng } from "../../lib/rng.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose } from "../support/numbers.ts";

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

gpuTest("kMeans() finds separate clusters, the same ones for the same seed", async (gpu) => {
  const features = blobs(4, 30, 5, 0.1);
  const { labels, inertia } = await kMeans(gpu, features, 4, { seed: 3 });
  assert.equal(agreement(labels, features.labels).ari, 1);
  assert.deepEqual(await kMeans(gpu, features, 4, { seed: 3 }), { labels, inertia });
  assert.equal((await kMeans(gpu, features, 1)).labels.every((label) => label === 0), true);
  assert.ok((await kMeans(gpu, features, 120)).inertia < 1e-9);
  await assert.rejects(kMeans(gpu, features, 121), /1 to 120 clusters.*found 121/);
  await assert.rejects(kMeans(gpu, { data: Float32Array.of(NaN), shape: [1, 1] }, 1), {
    name: "HatchlingError",
  });
});

gpuTest("kMeans() ends where Lloyd's iteration in float64 stands still", async (gpu) => {
  const { data, shape: [rows, dim], ...features } = blobs(5, 40, 7, 1);
  const { labels, inertia } = await kMeans(gpu, { ...features, data, shape: [rows, dim] }, 5);
  const centers = [0, 1, 2, 3, 4].map((c) => {
    const own = [...labels.keys()].filter((r) => labels[r] === c);
    return Array.from({ length: dim }, (_, d) => {
      return own.reduce((sum, r) => sum + data[r * dim + d], 0) / own.length;
    });
  });
  let total = 0;
  for (let r = 0; r < rows; r++) {
    const squares = centers.map((center) =>
      center.reduce((sum, v, d) => sum + (data[r * dim + d] - v) ** 2, 0)
    );
    const least = Math.min(...squares);
    total += least;
    assert.ok(squares[labels[r]] - least < 1e-5, `row ${r}`);
  }
  assert.ok(Math.abs(total - inertia) < 1e-9 * total);
});

gpuTest("kMeans() does with equal rows", async (gpu) => {
  const same = { data: new Float32Array(12).fill(1), shape: [6, 2] };
  const { labels, inertia } = await kMeans(gpu, same, 3);
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

gpuTest("ridgeProbe() equals probes fitted to all other rows", async (gpu) => {
  const features = blobs(3, 9, 4, 0.9);
  const { data, shape: [rows, dim], labels } = features;
  const { top1, lambda } = await ridgeProbe(gpu, { features, labels });
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
  const near = await ridgeProbe(gpu, { features: blobs(3, 9, 4, 0.01), labels });
  assert.equal(near.top1, 100);
  await assert.rejects(
    ridgeProbe(gpu, { features, labels: new Int32Array(rows) }),
    /two or more classes/,
  );
  await assert.rejects(ridgeProbe(gpu, { features, labels: [0, 1] }), /Expected 27 labels/);
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

gpuTest("ridgeProbe() chooses the penalty by generalised cross-validation", async (gpu) => {
  const train = blobs(3, 12, 5, 1.2), test = blobs(3, 12, 5, 1.4);
  const { top1, top5, lambda, rows } = await ridgeProbe(
    gpu,
    { features: train, labels: train.labels },
    { features: test, labels: test.labels },
  );
  const [n, dim] = train.shape;
  const moments = Array.from({ length: dim }, (_, d) => {
    const column = Array.from({ length: n }, (_, r) => train.data[r * dim + d]);
    const mean = column.reduce((a, b) => a + b) / n;
    return { mean, std: Math.sqrt(column.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n) };
  });
  const rowsOf = ({ data }: FeatureArray) =>
    Array.from({ length: data.length / dim }, (_, r) => [
      ...moments.map(({ mean, std }, d) => (data[r * dim + d] - mean) / std),
      1,
    ]);
  const x = rowsOf(train);
  /** Outputs for rows with a penalty: y of the training rows weighted by (XᵀX + λ)⁻¹ x. */
  const outputs = (row: number[], penalty: number) => {
    const gram = row.map((_, i) =>
      row.map((_, j) =>
        x.reduce((sum, other) => sum + other[i] * other[j], 0) +
        (i === j && i < dim ? n * penalty : 0)
      )
    );
    const w = solve(gram, row);
    const weights = x.map((other) => other.reduce((sum, v, i) => sum + v * w[i], 0));
    const y = [0, 1, 2].map((c) =>
      weights.reduce((sum, v, r) => sum + (train.labels[r] === c ? v : 0), 0)
    );
    return { weights, y };
  };
  const scores = Array.from({ length: 21 }, (_, i) => 10 ** (i / 2 - 6)).map((penalty) => {
    let residual = 0, trace = 0;
    x.forEach((row, r) => {
      const { weights, y } = outputs(row, penalty);
      trace += weights[r];
      y.forEach((v, c) => residual += (v - (train.labels[r] === c ? 1 : 0)) ** 2);
    });
    return { penalty, error: residual / (n - trace) ** 2 };
  });
  const best = scores.reduce((a, b) => b.error < a.error ? b : a);
  assert.ok(Math.abs(lambda / best.penalty - 1) < 1e-9, `${lambda} ${best.penalty}`);
  const right = rowsOf(test).filter((row, r) => {
    const { y } = outputs(row, best.penalty);
    return y.indexOf(Math.max(...y)) === test.labels[r];
  });
  assert.equal(top1, 100 * right.length / rows);
  assert.deepEqual([top5, rows], [100, 36]);
});

gpuTest("linearProbe() takes the steps of SGD with momentum", async (gpu) => {
  const train = blobs(3, 50, 3, 1.1); // two batches, the second of 22 rows
  const options = { epochs: 4, lr: 2, seed: 5 };
  const given = { features: train, labels: train.labels };
  const { weights, top1, rows } = await linearProbe(gpu, given, given, options);
  const [n, dim] = train.shape;
  const x = Array.from({ length: n }, (_, r) => [...train.data.subarray(r * dim, r * dim + dim)]);
  for (let d = 0; d < dim; d++) {
    const mean = x.reduce((sum, row) => sum + row[d], 0) / n;
    const std = Math.sqrt(x.reduce((sum, row) => sum + (row[d] - mean) ** 2, 0) / n);
    for (const row of x) row[d] = (row[d] - mean) / std;
  }
  for (const row of x) row.push(1);
  const rng = new Rng(5, 0x77);
  const w = [0, 1, 2].map(() => [...Array.from({ length: dim }, () => 0.01 * rng.normal()), 0]);
  const velocity = w.map((row) => row.map(() => 0));
  const softmax = (row: number[]) => {
    const e = w.map((line) => Math.exp(line.reduce((sum, v, d) => sum + v * row[d], 0)));
    return e.map((v) => v / e.reduce((a, b) => a + b));
  };
  for (let epoch = 0; epoch < 4; epoch++) {
    const order = [...new Rng(5, 0x6f, epoch).permutation(n)];
    const rate = 2 * 128 / 256 * (1 + Math.cos(Math.PI * epoch / 4)) / 2;
    for (const batch of [order.slice(0, 128), order.slice(128)]) {
      const gradient = w.map((row) => row.map(() => 0));
      for (const r of batch) {
        softmax(x[r]).forEach((p, c) => {
          const delta = (p - (train.labels[r] === c ? 1 : 0)) / batch.length;
          x[r].forEach((v, d) => gradient[c][d] += delta * v);
        });
      }
      gradient.forEach((row, c) =>
        row.forEach((g, d) => w[c][d] -= rate * (velocity[c][d] = 0.9 * velocity[c][d] + g))
      );
    }
  }
  assertClose(weights.data, w.flat(), 2e-5);
  const right = x.filter((row, r) => {
    const p = softmax(row);
    return p.indexOf(Math.max(...p)) === train.labels[r];
  });
  assert.equal(top1, 100 * right.length / rows);
  assert.deepEqual(await linearProbe(gpu, given, given, options), {
    weights,
    top1,
    top5: 100,
    rows,
  });
});

gpuTest("linearProbe() counts unknown classes as wrong and refuses what cannot be", async (gpu) => {
  const features = blobs(2, 20, 3, 0.01);
  const train = { features, labels: features.labels };
  const strange = { features, labels: features.labels.map((c) => c === 1 ? 9 : c) };
  const result = await linearProbe(gpu, train, strange, { epochs: 30, lr: 1 });
  assert.equal(result.top1, 50);
  await assert.rejects(linearProbe(gpu, train, train, { epochs: 0 }), /whole epochs ≥ 1/);
  await assert.rejects(linearProbe(gpu, train, train, { lr: 1e38 }), /finite weights/);
  const nan = { ...features, data: features.data.map((v, i) => i === 7 ? NaN : v) };
  await assert.rejects(linearProbe(gpu, { ...train, features: nan }, train), /found NaN in row 2/);
});

gpuTest("alignment() and uniformity() equal their definitions", async (gpu) => {
  const a = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] };
  assert.equal(alignment(a, a), 0);
  const pairs = [2, 4, 2].map((squared) => Math.exp(-2 * squared));
  const mean = Math.log(pairs.reduce((x, y) => x + y) / 3);
  assert.ok(Math.abs(await uniformity(gpu, a) - mean) < 1e-12);
  assert.throws(() => alignment(a, { data: new Float32Array(2), shape: [1, 2] }), /a view of each/);
  const most = 2048; // several columns of rows; of more, as many are taken, evenly spread
  const angle = (r: number) => 2 * Math.PI * r / most;
  let sum = 0;
  for (let r = 1; r < most; r++) sum += Math.exp(-4 * (1 - Math.cos(angle(r))));
  for (const times of [1, 3]) {
    const circle = Float32Array.from({ length: 2 * times * most }, (_, i) => {
      const at = angle((i >> 1) / times);
      return i % 2 ? Math.sin(at) : Math.cos(at);
    });
    const found = await uniformity(gpu, { data: circle, shape: [times * most, 2] });
    assert.ok(Math.abs(found - Math.log(sum / (most - 1))) < 1e-6, `${times}`);
  }
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
