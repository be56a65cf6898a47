import assert from "node:assert/strict";
import { columnSum, rowSum } from "../../lib/ops/reduce.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes, values } from "../support/ops.ts";

function columns(x: ArrayLike<number>, cols: number, offset = 0, count = cols): Float64Array {
  const sums = new Float64Array(count);
  for (let i = 0; i < x.length; i++) {
    const c = i % cols - offset;
    if (c >= 0 && c < count) sums[c] += x[i];
  }
  return sums;
}

// One row; a block of 16 rows and one more; columns in whole vec4s and not; more rows than any chunk.
for (const [rows, cols] of [[1, 1], [3, 7], [16, 4], [65, 67], [17, 68], [4231, 3], [4099, 36]]) {
  gpuTest(`columnSum() equals f64 at [${rows}, ${cols}]`, async (gpu) => {
    const x = normals(rows * cols, 1), old = normals(cols, 2);
    const sums = columns(x, cols);
    const half = cols >> 1;
    await eachLanes(gpu, async (what) => {
      const [plain, scaled, added, part] = await values(gpu, () => {
        const t = gpu.tensor(x, [rows, cols]);
        return [
          columnSum(gpu, t),
          columnSum(gpu, t, { scale: 1 / rows }),
          columnSum(gpu, t, { out: gpu.tensor(old), accumulate: true, scale: -2 }),
          columnSum(gpu, t, { offset: half }),
        ];
      });
      assertClose(plain, sums, 2e-6, `sum, ${what}`);
      assertClose(scaled, sums.map((v) => v / rows), 2e-6, `mean, ${what}`);
      assertClose(added, sums.map((v, c) => old[c] - 2 * v), 2e-6, `accumulated, ${what}`);
      assertClose(part, columns(x, cols, half, cols - half), 2e-6, `second half, ${what}`);
    });
  });

  gpuTest(`rowSum() equals f64 at [${cols}, ${rows}]`, async (gpu) => {
    const x = normals(rows * cols, 3);
    const expected = Array.from(
      { length: cols },
      (_, r) => x.subarray(r * rows, (r + 1) * rows).reduce((a, b) => a + b, 0),
    );
    await eachLanes(gpu, async (what) => {
      const old = normals(cols, 5);
      const [sum, mean, added] = await values(gpu, () => {
        const t = gpu.tensor(x, [cols, rows]);
        return [
          rowSum(gpu, t),
          rowSum(gpu, t, { scale: 1 / rows }),
          rowSum(gpu, t, { out: gpu.tensor(old), accumulate: true, scale: -2 }),
        ];
      });
      assertClose(sum, expected, 1e-5, what);
      assertClose(mean, expected.map((v) => v / rows), 1e-5, what);
      assertClose(added, expected.map((v, r) => old[r] - 2 * v), 1e-5, `accumulated, ${what}`);
    });
  });
}

gpuTest("columnSum() sums the columns asked for alone", async (gpu) => {
  // Columns, first, how many: whole vec4s throughout in the second case alone.
  for (const [cols, offset, count] of [[13, 3, 4], [16, 4, 8], [14, 4, 8], [16, 4, 6]]) {
    const x = normals(5 * cols, 4);
    const [middle] = await values(gpu, () => [
      columnSum(gpu, gpu.tensor(x, [5, cols]), { offset, cols: count }),
    ]);
    assertClose(middle, columns(x, cols, offset, count), 1e-6);
  }
});

for (const cols of [15, 24]) {
  gpuTest(`columnSum() leaves ${cols} columns at 0 where it is told to`, async (gpu) => {
    const x = normals(5000 * cols, 1), third = cols / 3, old = normals(cols, 2);
    const zeros = [third, 2 * third] as const;
    const [plain, fresh, added] = await values(gpu, () => {
      const t = gpu.tensor(x, [5000, cols]), out = gpu.tensor(old);
      columnSum(gpu, t, { out, accumulate: true, zeros });
      return [columnSum(gpu, t), columnSum(gpu, t, { zeros }), out];
    });
    const isZero = (i: number) => i >= third && i < 2 * third;
    assert.deepEqual(fresh, plain.map((v, i) => isZero(i) ? 0 : v));
    assertClose(added, old.map((v, i) => v + fresh[i]), 1e-6);
    added.forEach((v, i) => isZero(i) && assert.equal(v, old[i]));
  });
}

gpuTest("columnSum() writes nothing beyond its columns", async (gpu) => {
  for (const cols of [5, 8]) {
    const [room] = await values(gpu, () => {
      const room = gpu.tensor(new Float32Array(16).fill(7));
      columnSum(gpu, gpu.tensor(normals(3 * cols, 1), [3, cols]), { out: room.view([cols]) });
      return [room];
    });
    assert.deepEqual(room.subarray(cols), new Float32Array(16 - cols).fill(7), `${cols} columns`);
  }
});

gpuTest(
  "rowSum() hands on what is not finite as NaN, of an element or of what it adds to",
  async (gpu) => {
    for (const odd of [NaN, Infinity, -Infinity]) {
      await eachLanes(gpu, async (what) => {
        const x = normals(5 * 70, 6);
        x[70 + 69] = odd;
        const [sum, added] = await values(gpu, () => {
          const t = gpu.tensor(x, [5, 70]);
          const out = gpu.tensor(Float32Array.of(1, 2, 3, odd, 5));
          return [rowSum(gpu, t), rowSum(gpu, t, { out, accumulate: true })];
        });
        assert.deepEqual([...sum].map(Number.isNaN), [false, true, false, false, false], what);
        assert.deepEqual([...added].map(Number.isNaN), [false, true, false, true, false], what);
      });
    }
  },
);

gpuTest("columnSum() and rowSum() equal f64 at extreme values", async (gpu) => {
  const rows = [[1e4, -1e4, 1], [0, 0, 0], [1e-30, 2e-30, -1e-30], [1e38, 1e38, -1e38], [3, 3, 3]];
  const x = Float32Array.from(rows.flat());
  const transposed = Float32Array.from([0, 1, 2].flatMap((c) => rows.map((row) => row[c])));
  await eachLanes(gpu, async (what) => {
    const [row, column] = await values(gpu, () => [
      rowSum(gpu, gpu.tensor(x, [5, 3])),
      columnSum(gpu, gpu.tensor(transposed, [3, 5])),
    ]);
    rows.forEach(([a, b, c], i) => {
      const expected = [a + b + c];
      assertClose(row.subarray(i, i + 1), expected, 1e-6, `row ${i}, ${what}`);
      assertClose(column.subarray(i, i + 1), expected, 1e-6, `column ${i}, ${what}`);
    });
  });
});
