/** What a run will need, told before and compared with what it then uses. */
import assert from "node:assert/strict";
import { parseConfig, parseOverrides } from "../../lib/config.ts";
import type { Config } from "../../lib/config.ts";
import { record } from "../../lib/gpu.ts";
import { DryGpu } from "../../lib/gpu/dry.ts";
import { Trainer } from "../../lib/train.ts";
import tiny from "../../configs/tiny.yaml" with { type: "text" };
import { Feed } from "../../lib/train/feed.ts";
import { checkFits } from "../../lib/plan/fit.ts";
import { noise } from "../../lib/plan/noise.ts";
import { planStep } from "../../lib/plan/step.ts";
import { feedOptionsOf, modelOf, trainerOptionsOf } from "../../lib/from_config.ts";
import { recordStep } from "../../lib/train.ts";
import { gpuTest } from "../support/gpu.ts";

const SIZES = { largestPixels: 1024 };
const config = (...args: string[]): Config => parseConfig(tiny, parseOverrides(args));

for (
  const args of [
    [],
    ["--training.gradient_accumulation_steps", "3"],
    ["--training.recompute", "true", "--model.depth", "3"],
    ["--model.in_chans", "4", "--data.dataset", "module", "--data.path", "x.ts"],
  ]
) {
  gpuTest(
    `planStep() tells what a step then takes with ${args.join(" ") || "configs/tiny.yaml"}`,
    async (gpu) => {
      const of = config(...args);
      const plan = await planStep(gpu, of, SIZES);
      const before = gpu.memory.liveBytes;
      using trainer = new Trainer(gpu, modelOf(of), trainerOptionsOf(of));
      using feed = new Feed(gpu, noise(of, SIZES), feedOptionsOf(of));
      using recorded = await recordStep(gpu, trainer, feed, { canaries: true });
      assert.equal(plan.total, gpu.memory.liveBytes - before);
      assert.equal(plan.bytes.reduce((sum, { bytes }) => sum + bytes, 0), plan.total);
      assert.deepEqual({ flops: plan.flops, dispatches: plan.dispatches }, recorded.cost);
    },
  );
}

gpuTest("DryGpu records what the real one records, and takes nothing of it", async (gpu) => {
  const before = gpu.memory.liveBytes;
  const dry = new DryGpu(gpu);
  const x = dry.persistent([64], "x");
  const program = await record(dry, () => ({ y: dry.empty([64]) }));
  assert.equal(dry.memory.liveBytes, 256);
  assert.deepEqual([...dry.allocations], [{ label: "x", bytes: 256 }]);
  program.destroy();
  x.destroy();
  assert.deepEqual([dry.memory.liveBytes, dry.allocations.size], [0, 0]);
  assert.equal(gpu.memory.liveBytes, before);
});

gpuTest("checkFits() refuses what cannot fit, and says what would", async (gpu) => {
  const little = config("--device.memory_bytes", "3000000", "--evaluation.batch_size", "8");
  await assert.rejects(checkFits(gpu, little, SIZES), {
    name: "HatchlingError",
    message:
      /at most \(device\.memory_bytes\) but this one needs .*What would help.*data\.batch_size \d and training\.gradient/s,
  });
  const largestPixels = gpu.limits.maxStorageBufferBindingSize / 4;
  await assert.rejects(checkFits(gpu, config(), { largestPixels }), /this adapter/);
  const { total } = await checkFits(gpu, config(), SIZES);
  assert.ok(total > 1e6);
}, ["sys"]);
