/** What `deno task bench:augmentation` measures, on fewer pictures: the limits hold, and they can fail. */
import assert from "node:assert/strict";
import { CASES } from "../../bench/augmentation_error/cases.ts";
import {
  expectedOf,
  limitOf,
  measure,
  sampleOf,
  within,
} from "../../bench/augmentation_error/measure.ts";
import { differencesFromPil } from "../../bench/augmentation_error/pil.ts";
import { KINDS } from "../../bench/augmentation_error/pictures.ts";
import { gpuTest } from "../support/gpu.ts";
import { permissionTest } from "../support/permissions.ts";

for (const test of CASES) {
  gpuTest(`${test.name} is as close to PIL as stated: ${test.range}`, async (gpu) => {
    const large = test.sides[1] > 200; // exact arithmetic takes its time
    const row = await measure(gpu, test, KINDS.length * (large ? 1 : 3), 1);
    assert.ok(row.values > 0);
    assert.ok(within(row, limitOf(test, gpu)), JSON.stringify(row));
  });
}

gpuTest("measure() sees one level of difference in one value", async (gpu) => {
  const test = CASES.find(({ name }) => name === "solarize")!;
  let n = 0;
  const row = await measure(gpu, test, 10, 1, (_sample, expected) => {
    if (n++ === 7) expected[3] += expected[3] > 100 ? -1 : 1;
  });
  assert.equal(row.max, 1);
  assert.ok(Math.abs(row.share * row.values - 1) < 1e-9);
  assert.ok(!within(row, limitOf(test, gpu)));
  assert.ok(!within({ ...row, max: NaN, share: 0 }, { max: 16, share: 1 }));
});

Deno.test("what can be equal on a software adapter is asked for equal bytes", () => {
  const equal = new Set(CASES.filter(({ limit }) => limit.max === 0).map(({ name }) => name));
  for (const name of ["hflip", "brightness", "contrast", "grayscale", "solarize", "blends"]) {
    assert.ok(equal.has(name), name);
  }
});

permissionTest(
  ["run", "read"],
  "differencesFromPil() tells what is missing when there is no Python",
  async () => {
    const sample = sampleOf(CASES[0], 0, 0);
    await assert.rejects(
      differencesFromPil("/nonexistent/python", [sample], [expectedOf(sample)]),
      { name: "HatchlingError", message: /--python, or leave out --pil/ },
    );
  },
);
