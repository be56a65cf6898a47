import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readCase, readManifest } from "../../scripts/golden/case.ts";
import { compare, passes } from "../../scripts/golden/compare.ts";
import { RUNNERS } from "../../scripts/golden/runners.ts";
import { gpuTest } from "../support/gpu.ts";

const FOLDER = fileURLToPath(new URL("../golden/golden_public", import.meta.url));

for (const name of ["resnet_18", "resnet_50", "resnetstep_18"]) {
  gpuTest(`${name} equals PyTorch`, async (gpu) => {
    const row = (await readManifest(FOLDER)).find((row) => row.name === name)!;
    const testCase = await readCase(FOLDER, row);
    const checks = compare(testCase, await RUNNERS[row.kind](gpu, testCase));
    assert.ok(checks.length > 60, "hardly anything was compared");
    const failed = checks.filter((check) => !passes(check));
    assert.deepEqual(failed.map(({ what, detail }) => `${what}: ${detail}`), []);
  }, ["read"]);
}
