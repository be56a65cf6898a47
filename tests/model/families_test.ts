/** Every published family of vision transformers equals PyTorch, forward and backward. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readCase, readManifest } from "../../scripts/common/golden/case.ts";
import { compare, passes } from "../../scripts/common/golden/compare.ts";
import { runFamily } from "../../scripts/common/golden/family.ts";
import { gpuTest } from "../support/gpu.ts";

const FOLDER = fileURLToPath(new URL("../golden/golden_public", import.meta.url));
const CASES = [
  "dino",
  "dinov2",
  "dinov2_reg",
  "dinov2_giant",
  "dinov2_masked",
  "dinov3",
  "dinov3_plus",
  "timm_mean",
  "timm_no_class",
  "timm_no_class_norm",
];

for (const name of CASES) {
  gpuTest(`family_${name} equals PyTorch`, async (gpu) => {
    const row = (await readManifest(FOLDER)).find((row) => row.name === `family_${name}`)!;
    const testCase = await readCase(FOLDER, row);
    const results = await runFamily(gpu, testCase);
    const checks = compare(testCase, results);
    assert.ok(checks.length > 20, "hardly anything was compared");
    const failed = checks.filter((check) => !passes(check));
    assert.deepEqual(failed.map(({ what, detail }) => `${what}: ${detail}`), []);
    // Features to 1e-4 and gradients to 1e-3 of their largest value, whatever the case allows.
    for (const [what, { data }] of testCase.tensors) {
      if (!what.startsWith("out.")) continue;
      const expected = data as Float32Array, found = results.tensors!.get(what.slice(4))!;
      const peak = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-12);
      const worst = expected.reduce((most, v, i) => Math.max(most, Math.abs(v - found[i])), 0);
      const limit = what.startsWith("out.grad") ? 1e-3 : 1e-4;
      assert.ok(worst <= limit * peak, `${what}: off by ${worst} of ${peak}`);
    }
    const { vit } = testCase.doc.config as { vit: { qkv_bias?: string; dim: number } };
    if (vit.qkv_bias !== "no_key") return;
    const bias = results.tensors!.get("grad.blocks.0.attn.qkv.bias")!;
    const keys = Array.from(bias).slice(vit.dim, 2 * vit.dim);
    assert.deepEqual(keys, Array(vit.dim).fill(0), "a bias of keys that moves");
  }, ["read"]);
}
