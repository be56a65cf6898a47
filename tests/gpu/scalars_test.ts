import assert from "node:assert/strict";
import { StepScalars } from "../../lib/gpu.ts";
import { tableOf } from "../../lib/gpu/scalars.ts";
import { gpuTest } from "../support/gpu.ts";

gpuTest("StepScalars.write() sets scalars by name and leaves the others", async (gpu) => {
  const scalars = new StepScalars(gpu, ["a", "b", "c"]);
  const read = async () => [...await scalars.tensor.read()];
  assert.deepEqual(await read(), [0, 0, 0]);
  scalars.write({ c: 3, a: 1 });
  scalars.write({ b: 2, a: undefined });
  assert.deepEqual(await read(), [1, 2, 3]);
  // @ts-expect-error There is no such name.
  scalars.write({ d: 4 });
  // @ts-expect-error There is no such name.
  assert.throws(() => scalars.at("d"), /one of a, b, c but found d/);
  assert.deepEqual(scalars.at("b"), { table: scalars.tensor, index: 1 });
  scalars.destroy();
});

gpuTest("tableOf() refuses scalars of several tables", (gpu) => {
  const [one, other] = ["one", "other"].map((label) => new StepScalars(gpu, ["a", "b"], label));
  assert.equal(tableOf(one.at("a"), one.at("b")), one.tensor);
  assert.throws(
    () => tableOf(one.at("a"), other.at("b")),
    /scalars of one table but found one\[2\] at 0 and other\[2\] at 1/,
  );
  for (const table of [one, other]) table.destroy();
});
