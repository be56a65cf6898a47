import assert from "node:assert/strict";
import { givenValues, parseConfig } from "../../lib/config.ts";
import { Progress } from "../../scripts/common/progress.ts";
import { resolveConfig } from "../../scripts/common/resolve.ts";
import { gpuTest } from "../support/gpu.ts";

const quiet = new Progress({ isTerminal: () => false, writeSync: (bytes) => bytes.length });
const dataset = {
  name: "greys",
  length: 2000,
  largestPixels: 1024,
  picture: () => ({ width: 32, height: 32, data: new Uint8Array(4096) }),
  id: String,
  skipped: [],
};
const TINY = "augmentation: {global_crop_size: 32, local_crop_size: 16}\n" +
  "model: {backbone: custom, dim: 32, depth: 1, heads: 2, projection_hidden_dim: 32}\n";
const argumentsOf = (text: string) => ({ config: parseConfig(text), given: givenValues(text) });

gpuTest("resolveConfig() changes no key of a view's table that the file sets", async (gpu) => {
  // 0.1 is also the default that all views share: what is written counts, not its value.
  const args = argumentsOf(
    "preset: auto\n" + TINY.replace("{global", "{local: {hue: 0.1, crop_scale_max: 0.4}, global"),
  );
  const { augmentation } = await resolveConfig(args, { gpu, dataset, progress: quiet });
  assert.deepEqual([augmentation.local.hue, augmentation.local.crop_scale_max], [0.1, 0.4]);
  assert.deepEqual([augmentation.hue, augmentation.global_1.hue], [0.05, 0.05]);
  assert.equal(augmentation.local.crop_scale_min, 0.2);
});

gpuTest("resolveConfig() leaves the rate's unit alone when the file sets the rate", async (gpu) => {
  const args = argumentsOf("preset: auto\noptimizer: {lr: 1e-3}\n" + TINY);
  const { optimizer } = await resolveConfig(args, { gpu, dataset, progress: quiet });
  assert.deepEqual([optimizer.lr, optimizer.lr_scale_by_batch], [1e-3, true]);
});

gpuTest(
  "resolveConfig() gives small pictures their views however large the crops are",
  async (gpu) => {
    const args = argumentsOf("preset: auto\n" + TINY.replace(": 32", ": 224"));
    const { augmentation } = await resolveConfig(args, { gpu, dataset, progress: quiet });
    assert.equal(augmentation.local.brightness, 0.2);
  },
);

gpuTest(
  "resolveConfig() goes on with the epochs of a budget that is not named again",
  async (gpu) => {
    const args = argumentsOf(TINY);
    const before = parseConfig(TINY + "training: {num_epochs: 17}");
    const kept = await resolveConfig(args, {
      gpu,
      dataset,
      before: { config: before, paced: false },
      progress: quiet,
    });
    assert.equal(kept.training.num_epochs, 17);
    const named = argumentsOf(TINY + "training: {num_epochs: 19}");
    const found = await resolveConfig(named, {
      gpu,
      dataset,
      before: { config: before, paced: false },
      progress: quiet,
    });
    assert.equal(found.training.num_epochs, 19);
  },
);
