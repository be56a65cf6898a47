import assert from "node:assert/strict";
import { HatchlingError } from "../../lib/errors.ts";
import type { FeatureArray } from "../../lib/eval/features.ts";
import {
  fitWhitening,
  type Whitening,
  whiteningScale,
  type WhitenOptions,
} from "../../lib/eval/whiten.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";

/** Keeps all directions that have any variance. */
const fit = (features: FeatureArray, options: WhitenOptions = {}) =>
  fitWhitening(features, { explained: 1, ...options });

const featuresOf = (data: ArrayLike<number>, dim: number) => ({
  data: Float32Array.from(data),
  shape: [data.length / dim, dim],
});

/** Its formula in float64. */
function whitened(x: ArrayLike<number>, whitening: Whitening): Float64Array {
  const { mean, components } = whitening, scale = whiteningScale(whitening);
  const dim = mean.length, rows = x.length / dim, k = scale.length;
  const centred = Float64Array.from(x, (value, i) => value - mean[i % dim]);
  return matmulF64(centred, components, [rows, dim, k], false, true)
    .map((value, i) => value * scale[i % k]);
}

/** Covariance (÷ n) of columns whose mean is 0. */
function covariance(y: Float64Array, k: number): Float64Array {
  const rows = y.length / k;
  return matmulF64(y, y, [k, rows, k], true).map((value) => value / rows);
}

/**
 * Made by NumPy: eigh of the covariance, with fewer rows than dimensions svd of the rows; the vectors' largest entries
 * positive, y = (x − m) V / √(S + α · mean S), without the direction of S = 0.
 */
const NUMPY = [{
  dim: 3,
  alpha: 1,
  // deno-fmt-ignore
  x: [2.41, 4.26, 6.12, 4.03, 6.64, 1.84, 3.54, 2.27, -1.27, 2.3, 3.27, 0.25, 2.81, 5.24, 4.71, 3.57, 3.69, 2.47],
  // deno-fmt-ignore
  y: [
    1.154905295, -0.605188592, 0.013439864, 0.07418587, 1.24523381, 0.002758926, -1.30560674, -0.275601359, 0.203094072,
    -0.714157951, -0.263474177, -0.4754446, 0.822422413, 0.064813591, -0.095970753, -0.031748887, -0.165783273, 0.35212249,
  ],
}, {
  dim: 6,
  alpha: 0.1,
  // deno-fmt-ignore
  x: [
    1.13, 4.98, -1.52, 3.86, 2.46, 3.82, 3.25, 2.33, 5.7, -2.14, 6.96, -7.15, 4.19, 1.98, 4.12, 9.03, -7.81, 1.11, 3.57,
    4.8, 7.07, 5.42, 5.57, 3.64,
  ],
  // deno-fmt-ignore
  y: [
    -0.204036287, 1.113752398, -1.152788337, 1.405210342, -0.880963004, -0.275880743, -1.345384552, -1.006149223, 0.035962295, 0.144210497, 0.773359829, 1.392706786
  ],
}];

Deno.test("fitWhitening() equals NumPy, with more and with fewer rows than dimensions", () => {
  for (const { dim, alpha, x, y } of NUMPY) {
    const whitening = fit(featuresOf(x, dim), { alpha });
    assert.equal(whitening.rows, x.length / dim);
    assert.equal(whitening.alpha, alpha);
    assertClose(whitened(x, whitening), y, 1e-6);
  }
});

Deno.test("fitWhitening() gives orthonormal directions and the variances of its formula", () => {
  for (const [rows, dim] of [[200, 7], [40, 33], [7, 30], [3, 65], [2, 5]]) {
    for (const alpha of [0, 0.5, 1, 10]) {
      const x = normals(rows * dim, rows).map((value, i) => 3 + value * (1 + i % dim));
      const whitening = fit(featuresOf(x, dim), { alpha });
      const { components, variance } = whitening, k = variance.length;
      assert.equal(k, Math.min(dim, rows - 1));
      const eye = Float64Array.from({ length: k * k }, (_, i) => Number(i % (k + 1) === 0));
      assertClose(matmulF64(components, components, [k, dim, k], false, true), eye, 1e-6);
      const total = x.reduce((sum, value, i) => sum + (value - whitening.mean[i % dim]) ** 2, 0);
      const floor = alpha * total / rows / Math.min(rows, dim);
      const expected = eye.map((value, i) => value * variance[i % k] / (variance[i % k] + floor));
      assertClose(covariance(whitened(x, whitening), k), expected, 2e-5);
      for (let c = 1; c < k; c++) assert.ok(variance[c] <= variance[c - 1], "most first");
    }
  }
});

Deno.test("fitWhitening() leaves out directions without variance", () => {
  const x = normals(400, 2).map((value, i) => i % 4 === 1 ? 0.1 : i % 4 === 3 ? 0 : value);
  for (let r = 0; r < 100; r++) x[4 * r + 3] = 2 * x[4 * r]; // a multiple of another
  for (const alpha of [0, 1]) {
    const { components, variance } = fit(featuresOf(x, 4), { alpha });
    assert.equal(variance.length, 2);
    for (const k of [0, 1]) assert.ok(Math.abs(components[4 * k + 1]) < 1e-7, "the constant");
  }
  const copies = [...x.slice(0, 60), ...x.slice(0, 60)]; // [6, 20], of three pictures two times
  assert.equal(fit(featuresOf(copies, 20)).variance.length, 2);
});

Deno.test("fitWhitening() keeps the share of the whitened variance that is asked for", () => {
  const x = [4, 0, 0, -4, 0, 0, 0, 2, 0, 0, -2, 0, 0, 0, 1, 0, 0, -1]; // variances 16/3, 4/3, 1/3
  const features = featuresOf(x, 3);
  // Whitened with α 1, mean variance 7/3: 16/23, 4/11, 1/8 of 1.184.
  for (const [explained, count] of [[1, 3], [0.9, 3], [0.89, 2], [0.59, 2], [0.58, 1], [1e-9, 1]]) {
    assert.equal(fit(features, { explained }).variance.length, count);
  }
  for (const [explained, count] of [[0.67, 3], [0.66, 2], [0.34, 2], [0.33, 1]]) {
    assert.equal(fit(features, { explained, alpha: 0 }).variance.length, count);
  }
  const { variance, meanVariance } = fit(features, { explained: 0.5 });
  assertClose(variance, [16 / 3], 1e-7);
  assertClose([meanVariance], [7 / 3], 1e-7, "mean variance of all, whatever is kept");
});

Deno.test("fitWhitening() keeps 256 directions, and more of them up to 95 % of the whitened variance", () => {
  const rows = 320;
  const uneven = normals(rows * rows, 1).map((value, i) => value * Math.exp(-(i % rows) / 40));
  const { variance } = fitWhitening(featuresOf(uneven, rows));
  assert.equal(variance.length, 256);
  const even = fitWhitening(featuresOf(normals(rows * rows, 1), rows), { alpha: 0 });
  assert.equal(even.variance.length, Math.ceil(0.95 * (rows - 1)));
});

Deno.test("fitWhitening() takes features of any magnitude", () => {
  const plain = fit(featuresOf(normals(60, 3), 3));
  for (const unit of [1e-18, 1e-6, 1e6, 1e18]) {
    const scaled = fit(featuresOf(normals(60, 3).map((x) => x * unit), 3));
    assertClose(scaled.components, plain.components, 1e-5);
    const factors = whiteningScale(scaled).map((x) => x * unit);
    assertClose(factors, whiteningScale(plain), 1e-5);
  }
});

Deno.test("fitWhitening() takes evenly spread rows of more than it can", () => {
  const x = normals(40 * 9, 1);
  const some = Float32Array.from({ length: 5 * 9 }, (_, i) => x[Math.floor(i / 9) * 8 * 9 + i % 9]);
  const few = fit(featuresOf(x, 9), { maxEigenvalues: 5 });
  assert.deepEqual(few, fit(featuresOf(some, 9)));
  assert.equal(few.rows, 5);
  assert.equal(fit(featuresOf(x, 9), { maxEigenvalues: 9 }).rows, 40);
});

Deno.test("fitWhitening() refuses what can't be whitened", () => {
  const features = featuresOf(normals(12, 1), 3);
  const nan = featuresOf([1, 2, 3, NaN], 2);
  const refused: [() => unknown, RegExp][] = [
    [() => fit(nan), /^Expected finite features but found NaN in row 1/],
    [() => fit(featuresOf([1, 2], 2)), /2 or more pictures to whiten but found one/],
    [() => fit(featuresOf([1, 2, 1, 2, 1, 2], 2)), /all 3 pictures are the same/],
    [() => fit(featuresOf([1, 2, 3, 1, 2, 3], 3)), /all 2 pictures are the same/],
    [() => fit(features, { alpha: -1 }), /alpha ≥ 0 for whitening but found -1/],
    [() => fit(features, { alpha: NaN }), /found NaN/],
    [() => fit(features, { explained: 0 }), /above 0 to 1 for whitening but found 0/],
    [() => fit(features, { maxEigenvalues: 0 }), /1 or more eigenvalues/],
  ];
  for (const [refuse, message] of refused) {
    assert.throws(
      refuse,
      (error) => error instanceof HatchlingError && message.test(error.message),
    );
  }
});
