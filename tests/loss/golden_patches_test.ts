/** What is learned of patches, against fixtures made with PyTorch. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readCase, readManifest } from "../../scripts/common/golden/case.ts";
import { compare, passes } from "../../scripts/common/golden/compare.ts";
import { RUNNERS } from "../../scripts/common/golden/runners.ts";
import { gpuTest } from "../support/gpu.ts";

for (
  const [kind, count, least] of [["ibot", 8, 5], ["gram", 8, 2], ["maskembed", 4, 7], [
    "patchstep",
    2,
    30,
  ]] as const
) {
  gpuTest(`${kind}: every case made with PyTorch passes`, async (gpu) => {
    const folder = fileURLToPath(new URL("../golden/golden_public", import.meta.url));
    const rows = (await readManifest(folder)).filter((row) => row.kind === kind);
    assert.equal(rows.length, count);
    for (const row of rows) {
      const testCase = await readCase(folder, row);
      const checks = compare(testCase, await RUNNERS[kind](gpu, testCase));
      assert.ok(checks.length >= least, "hardly anything was compared");
      const failed = checks.filter((check) => !passes(check));
      assert.deepEqual(failed.map(({ what, detail }) => `${row.name}, ${what}: ${detail}`), []);
    }
  }, ["read"]);
}
