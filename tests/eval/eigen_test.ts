import assert from "node:assert/strict";
import fc from "fast-check";
import { HatchlingError } from "../../lib/errors.ts";
import { symmetricEigen, symmetricEigenvalues } from "../../lib/eval/eigen.ts";
import { normals } from "../support/numbers.ts";

/** A symmetric matrix of entries that a function gives. */
function matrixOf(dim: number, at: (row: number, column: number) => number): Float64Array {
  return Float64Array.from({ length: dim * dim }, (_, i) => {
    const [r, c] = [Math.floor(i / dim), i % dim];
    return at(Math.max(r, c), Math.min(r, c));
  });
}

function random(dim: number, seed: number): Float64Array {
  const draws = normals(dim * dim, seed);
  return matrixOf(dim, (r, c) => draws[r * dim + c]);
}

/** Checks A v = λ v, orthonormal vectors and the order, all in ulp of the largest eigenvalue. */
function check(matrix: Float64Array, dim: number): Float64Array {
  const { values, vectors } = symmetricEigen(matrix.slice(), dim);
  const most = values.reduce((m, value) => Math.max(m, Math.abs(value)), 0);
  const least = 20 * dim * Number.EPSILON;
  const at = (k: number) => vectors.subarray(k * dim, (k + 1) * dim);
  for (let k = 0; k < dim; k++) {
    if (k) assert.ok(values[k] <= values[k - 1], `order at ${k}`);
    for (let j = 0; j <= k; j++) {
      const dot = at(k).reduce((sum, x, i) => sum + x * at(j)[i], 0);
      assert.ok(Math.abs(dot - Number(j === k)) <= least, `vectors ${k} and ${j}: ${dot}`);
    }
    for (let r = 0; r < dim; r++) {
      const product = at(k).reduce((sum, x, i) => sum + matrix[r * dim + i] / (most || 1) * x, 0);
      const error = Math.abs(product - values[k] / (most || 1) * at(k)[r]);
      assert.ok(error <= least, `row ${r} of vector ${k}: off by ${error}`);
    }
  }
  const alone = symmetricEigenvalues(matrix.slice(), dim);
  alone.forEach((value, k) => {
    assert.ok(Math.abs(value - values[k]) <= least * most, `value ${k} alone: ${value}`);
  });
  return values;
}

Deno.test("symmetricEigen() takes matrices of any size and kind", () => {
  for (const dim of [1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 33, 50]) check(random(dim, dim), dim);
  check(matrixOf(6, () => 0), 6);
  check(matrixOf(7, () => 1), 7); // rank 1
  check(matrixOf(9, (r, c) => Number(r === c)), 9);
  check(matrixOf(12, (r, c) => r === c ? r % 3 : 0), 12); // equal values
  check(matrixOf(20, (r, c) => 10 ** (-(r + c) / 2)), 20); // graded
  check(matrixOf(20, (r, c) => 10 ** (-(38 - r - c) / 2)), 20); // graded the other way
  check(matrixOf(10, (r, c) => 1 / (r + c + 1)), 10); // Hilbert's
});

Deno.test("symmetricEigen() gives eigenvalues that are known", () => {
  const dim = 40;
  const values = check(matrixOf(dim, (r, c) => r === c ? 2 : r - c === 1 ? -1 : 0), dim);
  values.forEach((value, k) => {
    const known = 2 - 2 * Math.cos(Math.PI * (dim - k) / (dim + 1));
    assert.ok(Math.abs(value - known) < 1e-13, `${k}: ${value} ≠ ${known}`);
  });
  // W21+ of Wilkinson (The Algebraic Eigenvalue Problem, chapter 5): two of its eigenvalues agree to 14 digits.
  const wilkinson = matrixOf(21, (r, c) => r === c ? Math.abs(r - 10) : Number(r - c === 1));
  const [first, second] = check(wilkinson, 21);
  assert.ok(Math.abs(first - 10.746194182903393) < 1e-13, `${first}`);
  assert.ok(Math.abs(second - 10.746194182903322) < 1e-13, `${second}`);
});

Deno.test("symmetricEigen() neither overflows nor loses small matrices, and columns of tiny numbers are none", () => {
  for (const unit of [1e-300, 1e-160, 1e160, 1e300]) {
    const values = check(random(11, 3).map((x) => x * unit), 11);
    const plain = symmetricEigenvalues(random(11, 3), 11);
    values.forEach((value, k) => assert.ok(Math.abs(value / unit / plain[k] - 1) < 1e-9));
  }
  const uneven = [1, 1e-100, 1e-155, 1e-170, 1e-310];
  check(matrixOf(5, (r, c) => uneven[r] * uneven[c] + Number(r === c) * uneven[r]), 5);
});

Deno.test("symmetricEigen() makes any matrix again", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 12 }).chain((dim) =>
      fc.tuple(
        fc.constant(dim),
        fc.array(fc.integer({ min: -3, max: 3 }), { minLength: dim * dim, maxLength: dim * dim }),
      )
    ),
    ([dim, draws]) => void check(matrixOf(dim, (r, c) => draws[r * dim + c]), dim),
  ));
});

Deno.test("symmetricEigen() refuses what is no finite matrix", () => {
  assert.throws(
    () => symmetricEigen(Float64Array.of(1, 2, NaN, 3), 2),
    new HatchlingError("Expected a finite matrix but found NaN in row 1"),
  );
  assert.throws(() => symmetricEigenvalues(Float64Array.of(Infinity), 1), HatchlingError);
  for (const [length, dim] of [[0, 0], [3, 2], [4, -2], [2.25, 1.5]]) {
    assert.throws(() => symmetricEigen(new Float64Array(Math.floor(length)), dim), HatchlingError);
  }
});
