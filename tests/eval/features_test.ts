import assert from "node:assert/strict";
import { checkRows, l2Normalize } from "../../lib/eval/features.ts";

Deno.test("l2Normalize() scales every row to length 1 and leaves zeros alone", () => {
  const rows = l2Normalize(new Float32Array([3, 4, 0, 0, 1e-20, 0, -5e30, 0]), 2);
  assert.deepEqual(
    [...rows],
    [0.6, 0.8, 0, 0, 1e-8, 0, -1, 0].map(Math.fround),
  );
});

Deno.test("l2Normalize() throws when values make no whole rows or are not finite", () => {
  assert.throws(() => l2Normalize(new Float32Array(5), 2), /shape \[n ≥ 1, D ≥ 1\] but found/);
  assert.throws(() => l2Normalize(new Float32Array(0), 2), /shape \[n ≥ 1/);
  const bad = new Float32Array([1, 2, 3, NaN]);
  assert.throws(() => l2Normalize(bad, 2), /finite features but found NaN in row 1/);
});

Deno.test("checkRows() compares the shape with the values", () => {
  assert.deepEqual(checkRows({ data: new Float32Array(6), shape: [2, 3] }, "x"), {
    rows: 2,
    dim: 3,
  });
  assert.throws(
    () => checkRows({ data: new Float32Array(6), shape: [2, 2] }, "x"),
    /4 values for x \[2, 2\] but found 6/,
  );
  assert.throws(() => checkRows({ data: new Float32Array(6), shape: [6] }, "x"), /found \[6\]/);
});
