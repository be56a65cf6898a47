/** The fixtures made with PyTorch that pin down models and steps; `deno task golden` runs all of them. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readCase, readManifest } from "../../scripts/common/golden/case.ts";
import { compare, passes } from "../../scripts/common/golden/compare.ts";
import { RUNNERS } from "../../scripts/common/golden/runners.ts";
import { gpuTest } from "../support/gpu.ts";

const FOLDER = fileURLToPath(new URL("../golden/golden_public", import.meta.url));
const CASES = [
  "vit_p8_global",
  "vit_droppath",
  "head_standard",
  "head_trainable_g",
  "head_plain",
  "step_basic",
  "train_standard",
  "train_rich",
  "train_continued",
  "train_sgd",
  "train_adam",
  "clip_global",
  "optim_adamw",
  "optim_adam",
  "optim_sgd",
  "optim_sgd_nesterov",
  "optim_sgd_plain",
  "terms_infonce",
  "terms_infonce_teacher",
  "terms_sum",
];

for (const name of CASES) {
  gpuTest(`${name} equals PyTorch`, async (gpu) => {
    const row = (await readManifest(FOLDER)).find((row) => row.name === name)!;
    const testCase = await readCase(FOLDER, row);
    const checks = compare(testCase, await RUNNERS[row.kind](gpu, testCase));
    assert.ok(checks.length > 5, "hardly anything was compared");
    const failed = checks.filter((check) => !passes(check));
    assert.deepEqual(failed.map(({ what, detail }) => `${what}: ${detail}`), []);
  }, ["read"]);
}
