import assert from "node:assert/strict";
import { record } from "../../lib/gpu.ts";
import { gatherRows, NO_ROW, scatterRows } from "../../lib/ops.ts";
import { gpuTest } from "../support/gpu.ts";
import { normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";

/** M places for R rows, each at most once: every other one, from the last to the first, and some that name none. */
function indexOf(rows: number, places: number): Uint32Array {
  return Uint32Array.from({ length: places }, (_, m) => {
    const row = rows - 1 - 2 * (3 * Math.floor(m / 4) + m % 4);
    return m % 4 === 3 || row < 0 ? (m % 8 === 3 ? rows : NO_ROW) : row;
  });
}

// [R, D, M]: one row, an odd width, whole vec4s, more places than rows, rows wider than a workgroup.
for (const [rows, dim, places] of [[1, 1, 1], [9, 7, 5], [67, 20, 40], [3, 4, 11], [5, 1030, 4]]) {
  const what = `[R, D, M] = [${rows}, ${dim}, ${places}]`;
  gpuTest(`gatherRows() and scatterRows() move rows at ${what}`, async (gpu) => {
    const x = normals(rows * dim, 1), dy = normals(places * dim, 2), dx = normals(rows * dim, 3);
    const index = indexOf(rows, places);
    const [gathered, scattered] = await values(gpu, () => {
      const at = gpu.tensor(index, [places]);
      const into = gpu.tensor(dx, [rows, dim]);
      scatterRows(gpu, gpu.tensor(dy, [places, dim]), at, into);
      return [gatherRows(gpu, gpu.tensor(x, [rows, dim]), at), into];
    });
    const expected = new Float32Array(places * dim), sums = dx.slice();
    index.forEach((row, m) => {
      for (let d = 0; d < dim && row < rows; d++) {
        expected[m * dim + d] = x[row * dim + d];
        sums[row * dim + d] += dy[m * dim + d];
      }
    });
    assert.deepEqual(gathered, expected);
    assert.deepEqual(scattered, sums);
    // ⟨gather x, dy⟩ = ⟨x, scatter dy⟩: each is the other's gradient.
    const dot = (a: ArrayLike<number>, b: Float32Array) =>
      b.reduce((sum, v, i) => sum + v * a[i], 0);
    const adjoint = dot(x, scattered) - dot(x, dx);
    assert.ok(Math.abs(dot(gathered, dy) - adjoint) <= 1e-5 * (1 + Math.abs(adjoint)));
  });
}

gpuTest(
  "gatherRows() in a program reads the index of the day, and NaN moves nowhere else",
  async (gpu) => {
    const x = gpu.tensor(Float32Array.of(1, NaN, 3, 4), [4, 1]), index = gpu.persistent([3]);
    const dx = gpu.persistent([4, 1]);
    const program = await record(gpu, () => {
      const y = gatherRows(gpu, x, index);
      scatterRows(gpu, y, index, dx);
      return { y };
    });
    for (
      const [names, expected, sums] of [
        [[3, 0, NO_ROW], [4, 1, 0], [1, 0, 0, 4]],
        [[2, NO_ROW, NO_ROW], [3, 0, 0], [0, 0, 3, 0]],
      ]
    ) {
      index.write(Uint32Array.from(names));
      dx.write(new Float32Array(4));
      program.run();
      const [y, into] = await gpu.read([program.outputs.y, dx]);
      assert.deepEqual([[...y], [...into]], [expected, sums]);
    }
    for (const t of [program, x, index, dx]) t.destroy();
  },
);

gpuTest("scatterRows() refuses rows that do not fit", (gpu) => {
  gpu.scope(() => {
    const [dy, index, dx] = [
      gpu.empty([3, 4], "dy"),
      gpu.empty([2], "index"),
      gpu.empty([5, 4], "dx"),
    ];
    assert.throws(
      () => scatterRows(gpu, dy, index, dx),
      /expected 2 rows of 4 numbers, as index\[2\] and dx\[5, 4\] say, but found dy\[3, 4\]/,
    );
  });
});
