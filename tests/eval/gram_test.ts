import { gramOf, gramOfRows, timesRows } from "../../lib/eval/gram.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";

const SIZES = [[1, 1], [1, 9], [3, 7], [7, 3], [64, 4], [5, 64], [130, 9], [9, 130]];

Deno.test("gramOf() and gramOfRows() are products of the rows from their mean, at any size", () => {
  for (const [rows, dim] of SIZES) {
    const x = Float64Array.from(normals(rows * dim, rows), (value) => 5 + value);
    const mean = Float64Array.from({ length: dim }, (_, d) => 4 + d / 10);
    const centred = x.map((value, i) => (value - mean[i % dim]) / 2);
    const options = { unit: 2, mean };
    assertClose(
      gramOf(x, rows, dim, options),
      matmulF64(centred, centred, [dim, rows, dim], true),
      1e-13,
    );
    assertClose(
      gramOfRows(x, rows, dim, options),
      matmulF64(centred, centred, [rows, dim, rows], false, true),
      1e-13,
    );
    assertClose(gramOf(x, rows, dim), matmulF64(x, x, [dim, rows, dim], true), 1e-13);
  }
});

Deno.test("timesRows() is a product with the rows from their mean, at any size", () => {
  for (const [rows, dim] of SIZES) {
    for (const count of [1, 4, 6]) {
      const x = Float64Array.from(normals(rows * dim, rows));
      const a = Float64Array.from(normals(count * rows, dim));
      const mean = Float64Array.from({ length: dim }, (_, d) => d / 10);
      const centred = x.map((value, i) => (value - mean[i % dim]) / 3);
      assertClose(
        timesRows(a, x, rows, dim, { unit: 3, mean }),
        matmulF64(a, centred, [count, rows, dim]),
        1e-13,
      );
    }
  }
});
