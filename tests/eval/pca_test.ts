import assert from "node:assert/strict";
import { pca } from "../../lib/eval/pca.ts";
import { assertClose, normals } from "../support/numbers.ts";

const features = (data: ArrayLike<number>, dim: number) => ({
  data: Float32Array.from(data),
  shape: [data.length / dim, dim] as [number, number],
});

Deno.test("pca() finds directions that are orthonormal, in order, and make the rows again", () => {
  const [n, dim] = [57, 9];
  const data = normals(n * dim, 2).map((x, i) => x * (1 + i % dim) + 100 * (i % dim));
  const { mean, components, variance, explained, project } = pca(features(data, dim), dim);
  const at = (c: number) => components.subarray(c * dim, (c + 1) * dim);
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  for (let a = 0; a < dim; a++) {
    for (let b = 0; b <= a; b++) {
      assert.ok(Math.abs(dot(at(a), at(b)) - Number(a === b)) < 1e-12, `${a}, ${b}`);
    }
    const most = at(a).reduce((best, x) => Math.abs(x) > Math.abs(best) ? x : best, 0);
    assert.ok(most > 0, "the sign is fixed");
    if (a) assert.ok(variance[a] <= variance[a - 1]);
  }
  assertClose([explained.reduce((a, b) => a + b)], [1], 1e-12);
  const y = project(features(data, dim));
  const again = Array.from(data, (_, i) => {
    const r = Math.floor(i / dim), d = i % dim;
    let sum = mean[d];
    for (let c = 0; c < dim; c++) sum += y[r * dim + c] * components[c * dim + d];
    return sum;
  });
  assertClose(again, data, 1e-12);
  for (let c = 0; c < dim; c++) {
    let squares = 0, sum = 0;
    for (let r = 0; r < n; r++) {
      sum += y[r * dim + c];
      squares += y[r * dim + c] ** 2 / n;
    }
    assert.ok(Math.abs(sum) < 1e-9);
    assertClose([squares], [variance[c]], 1e-10);
  }
});

Deno.test("pca() finds the direction that rows were spread along, at any scale", () => {
  const direction = [0.6, 0, -0.8];
  for (const scale of [1e-30, 1, 1e30]) {
    const along = normals(40, 7);
    const data = Array.from(along).flatMap((t) => direction.map((x) => scale * t * x));
    const { components, explained } = pca(features(data, 3), 1);
    assertClose(components, [-0.6, 0, 0.8], 1e-5, `at ${scale}`);
    assertClose(explained, [1], 1e-9);
  }
});

Deno.test("pca() gives zeros where all rows are the same", () => {
  const same = features([3, 1, 3, 1, 3, 1], 2);
  const { variance, explained, project } = pca(same, 2);
  assert.deepEqual([...variance, ...explained], [0, 0, 0, 0]);
  assert.deepEqual([...project(same)].map(Math.abs), Array(6).fill(0));
});

Deno.test("pca() refuses what has no components", () => {
  const x = features([1, 2, 3, 4], 2);
  for (const k of [0, 3, 1.5]) assert.throws(() => pca(x, k), /from 1 to 2 principal components/);
  assert.throws(() => pca(features([NaN, 1], 2), 1), /finite/);
  assert.throws(() => pca(x, 1).project(features([1, 2, 3], 3)), /\[n, 2\] to project .* D 3/);
});
