import assert from "node:assert/strict";
import fc from "fast-check";
import { HatchlingError } from "../../lib/errors.ts";
import { featureStd, rankMe } from "../../lib/eval/rank.ts";
import { normals } from "../support/numbers.ts";

/** The paper's equation 1. */
function formula(sigma: readonly number[]): number {
  const total = sigma.reduce((a, b) => a + b);
  const shares = sigma.map((s) => s / total + 1e-7);
  return Math.exp(-shares.reduce((sum, p) => sum + p * Math.log(p), 0));
}

/** x − 2 u (u · x) / ‖u‖²: the product with an orthogonal matrix that has no zeros. */
function reflect(x: number[], seed: number): number[] {
  const u = normals(x.length, seed);
  const dot = (a: ArrayLike<number>) => x.reduce((sum, _, i) => sum + u[i] * a[i], 0);
  const scale = 2 * dot(x) / dot(u);
  return x.map((v, i) => v - scale * u[i]);
}

const transpose = (x: number[][]) => x[0].map((_, d) => x.map((row) => row[d]));

/** Features [rows, dim] with these singular values. */
function withSpectrum(sigma: readonly number[], rows: number, dim: number): Float64Array {
  const diagonal = Array.from(
    { length: rows },
    (_, r) => Array.from({ length: dim }, (_, d) => r === d ? sigma[r] ?? 0 : 0),
  );
  const right = diagonal.map((row) => reflect(reflect(row, 1), 2));
  const both = transpose(transpose(right).map((column) => reflect(reflect(column, 3), 4)));
  return Float64Array.from(both.flat());
}

function assertNear(actual: number, expected: number, tolerance: number, what = "value"): void {
  const error = Math.abs(actual - expected);
  assert.ok(error <= tolerance * expected, `${what}: expected ${expected} but found ${actual}`);
}

for (const [rows, dim] of [[1, 1], [5, 5], [7, 30], [30, 7], [128, 192], [192, 128], [256, 40]]) {
  const least = Math.min(rows, dim);
  const full = (value: (k: number) => number) => Array.from({ length: least }, (_, k) => value(k));
  Deno.test(`rankMe() equals its formula for known singular values, [${rows}, ${dim}]`, () => {
    const spectra: Record<string, number[]> = {
      equal: full(() => 3),
      one: full((k) => k === 0 ? 2 : 0),
      half: full((k) => k < least / 2 ? 1 : 0),
      linear: full((k) => least - k),
      "down to 1e-6": full((k) => 10 ** (-6 * k / least)),
    };
    for (const [name, sigma] of Object.entries(spectra)) {
      assertNear(rankMe(withSpectrum(sigma, rows, dim), rows, dim), formula(sigma), 1e-6, name);
    }
    assertNear(rankMe(withSpectrum(full(() => 3), rows, dim), rows, dim), least, 1e-4, "rank");
  });
}

Deno.test("rankMe() is right to 3e-3 where singular values are lost in rounding", () => {
  for (const small of [1e-6, 4e-7, 2e-7, 1e-7, 1e-8]) {
    const sigma = Array.from({ length: 256 }, (_, k) => k === 0 ? 1 : small);
    const found = rankMe(withSpectrum(sigma, 256, 256), 256, 256);
    assertNear(found, formula(sigma), 3e-3, `σ of ${small}`);
  }
});

Deno.test("rankMe() is 1 for rows of one direction, as float32 rounds them", () => {
  const [rows, dim] = [256, 384];
  const [direction, lengths] = [normals(dim, 1), normals(rows, 2)];
  const features = Float32Array.from({ length: rows * dim }, (_, i) => {
    return direction[i % dim] * lengths[Math.floor(i / dim)];
  });
  assertNear(rankMe(features, rows, dim), 1, 1e-2);
});

Deno.test("rankMe() does not see the scale, up to the ends of float64, nor the order", () => {
  const features = Float64Array.from(normals(12 * 20, 3));
  const expected = rankMe(features, 12, 20);
  for (const scale of [-1, 1e30, 1e-30, 1e300, 1e-300]) {
    assertNear(rankMe(features.map((v) => v * scale), 12, 20), expected, 1e-12, `${scale}`);
  }
  assertNear(rankMe(features.slice().reverse(), 12, 20), expected, 1e-12, "reversed");
  const columns = Array.from(features, (_, i) => features[i % 12 * 20 + Math.floor(i / 12)]);
  assertNear(rankMe(columns, 20, 12), expected, 1e-12, "transposed");
});

Deno.test("rankMe() lies between 1 and the smaller size, whatever the magnitudes", () => {
  const magnitudes = fc.constantFrom(0, 1e-320, 1e-200, 1e-160, 1e-30, 1e-7, 1, 1e10, 1e200, 1e308);
  const cases = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
    .chain(([rows, dim]) => {
      const size = { minLength: rows * dim, maxLength: rows * dim };
      return fc.tuple(fc.constant(rows), fc.constant(dim), fc.array(magnitudes, size));
    });
  fc.assert(
    fc.property(cases, fc.integer({ min: 1, max: 1e6 }), ([rows, dim, scales], seed) => {
      const signs = normals(rows * dim, seed).map(Math.sign);
      const features = scales.map((v, i) => v * signs[i]);
      const rank = rankMe(features, rows, dim);
      if (features.every((v) => v === 0)) return assert.equal(rank, 0);
      const most = Math.min(rows, dim);
      assert.ok(rank > 1 - 1e-4 && rank < most * (1 + 1e-4), `${rank} of ${most}`);
      const spread = featureStd(features, rows, dim);
      assert.ok(spread >= 0 && spread <= 1 + 1e-12, `a spread of ${spread}`);
    }),
    { numRuns: 300, seed: 7 },
  );
});

Deno.test("featureStd() equals its definition", () => {
  for (const [rows, dim] of [[1, 4], [2, 3], [40, 7], [7, 40]]) {
    const features = normals(rows * dim, 5).map((v, i) => v + (i % dim === 0 ? 2 : 0));
    const unit = Array.from({ length: rows }, (_, r) => {
      const row = Array.from(features.subarray(r * dim, (r + 1) * dim));
      return row.map((v) => v / Math.hypot(...row));
    });
    const deviations = transpose(unit).map((column) => {
      const mean = column.reduce((a, b) => a + b) / rows;
      return Math.sqrt(column.reduce((sum, v) => sum + v * v, 0) / rows - mean * mean);
    });
    const expected = Math.sqrt(dim) * deviations.reduce((a, b) => a + b) / dim;
    const found = featureStd(features, rows, dim);
    assert.ok(Math.abs(found - expected) < 1e-7, `expected ${expected} but found ${found}`);
  }
});

Deno.test("featureStd() is 0 for one direction and 1 for all of them", () => {
  const dim = 16;
  const axes = Float64Array.from({ length: dim * dim }, (_, i) => i % (dim + 1) === 0 ? 5 : 0);
  const both = [...axes, ...axes.map((v) => -7 * v)];
  assertNear(featureStd(axes, dim, dim), Math.sqrt(1 - 1 / dim), 1e-12, "axes");
  assertNear(featureStd(both, 2 * dim, dim), 1, 1e-12, "axes both ways");
  assertNear(featureStd(normals(256 * 64, 1), 256, 64), 1, 0.01, "anywhere");
  const row = normals(dim, 2);
  const same = Float64Array.from({ length: 9 * dim }, (_, i) => row[i % dim]);
  assert.ok(featureStd(same, 9, dim) < 1e-12);
  assert.ok(featureStd(same.map((v, i) => v * 10 ** Math.floor(i / dim)), 9, dim) < 1e-12);
  assert.equal(featureStd(new Float32Array(6), 2, 3), 0);
  assert.equal(featureStd(row, 1, dim), 0);
});

Deno.test("rankMe() and featureStd() take 256 rows of more, evenly spread", () => {
  const dim = 20;
  // Every second row lies in one plane; the others point anywhere.
  const features = normals(512 * dim, 3).map((v, i) => i / dim % 2 < 1 && i % dim > 1 ? 0 : v);
  const even = new Float32Array(256 * dim);
  for (let r = 0; r < 256; r++) {
    even.set(features.subarray(2 * r * dim, (2 * r + 1) * dim), r * dim);
  }
  assert.equal(rankMe(features, 512, dim), rankMe(even, 256, dim));
  assert.ok(rankMe(features, 512, dim) < 2.01);
  assert.equal(featureStd(features, 512, dim), featureStd(even, 256, dim));
  // 257 rows: the last one is left out, but 256 are used.
  const orthogonal = withSpectrum(Array(257).fill(1), 257, 257);
  assertNear(rankMe(orthogonal, 257, 257), formula(Array(256).fill(1)), 1e-6);
});

Deno.test("rankMe() and featureStd() are NaN where a feature is not finite", () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    for (const at of [0, 3, 600 * 4 - 1]) {
      const features = normals(600 * 4, 1);
      features[at] = value;
      assert.ok(Number.isNaN(rankMe(features, 600, 4)), `${value} at ${at}`);
      assert.ok(Number.isNaN(featureStd(features, 600, 4)), `${value} at ${at}`);
    }
  }
});

Deno.test("rankMe() and featureStd() leave the features alone and check their size", () => {
  const features = normals(6, 1);
  const kept = features.slice();
  for (const fn of [rankMe, featureStd]) {
    fn(features, 2, 3);
    assert.deepEqual(features, kept);
    for (const [rows, dim] of [[2, 2], [0, 3], [6, 0], [1.5, 4], [NaN, 6], [-2, -3]]) {
      assert.throws(() => fn(features, rows, dim), (error: Error) => {
        assert.ok(error instanceof HatchlingError);
        assert.match(error.message, /rows ≥ 1, D ≥ 1\] but found 6 values for \[/);
        return true;
      });
    }
  }
});
