/** What activations take as halves, by plans of real configurations. */
import assert from "node:assert/strict";
import { parseConfig, parseOverrides } from "../../lib/config.ts";
import { feedOptionsOf, modelOf, trainerOptionsOf } from "../../lib/from_config.ts";
import { noise } from "../../lib/plan/noise.ts";
import { remedies } from "../../lib/plan/remedies.ts";
import { activationBytes, planStep } from "../../lib/plan/step.ts";
import { recordStep, Trainer } from "../../lib/train.ts";
import { Feed } from "../../lib/train/feed.ts";
import dinoSmall from "../../configs/dino-small.yaml" with { type: "text" };
import emoji from "../../configs/emoji.yaml" with { type: "text" };
import resnet18 from "../../configs/resnet18.yaml" with { type: "text" };
import small from "../../configs/small.yaml" with { type: "text" };
import tiny from "../../configs/tiny.yaml" with { type: "text" };
import vitSmall from "../../configs/vit-small.yaml" with { type: "text" };
import { halvesTest } from "../support/gpu.ts";

const SIZES = { largestPixels: 1024 };
const config = (text: string, ...args: string[]) => parseConfig(text, parseOverrides(args));

/** What stays f32 among what is kept: the norms' statistics, attention's sums, features and their norms. */
const FULL = 0.02;

for (const [name, text] of Object.entries({ small, dinoSmall, emoji, vitSmall })) {
  for (const recompute of ["false", "true"]) {
    halvesTest(
      `activations of ${name} take half as halves, recompute ${recompute}`,
      async (gpu) => {
        const args = ["--data.batch_size", "8", "--training.recompute", recompute];
        const of = config(text, ...args);
        const { f32, f16 } = await activationBytes(gpu, of, SIZES);
        assert.ok(f16! >= f32 / 2 && f16! < (0.5 + FULL) * f32, `${f16} of ${f32} bytes`);
        const plans = await Promise.all(
          ["f32", "f16"].map((precision) =>
            planStep(gpu, config(text, ...args, "--device.precision", precision), SIZES)
          ),
        );
        assert.deepEqual(
          plans.map(({ activations }) => activations),
          [
            { precision: "f32", bytes: f32 },
            { precision: "f16", bytes: f16 },
          ],
        );
        // What is made again is halved at the peak as well; elsewhere the peak may be another one, and slots shared otherwise.
        const saved = plans[0].total - plans[1].total;
        assert.ok(saved > 0.8 * (f32 - f16!), `${saved} of ${f32 - f16!} bytes`);
      },
    );
  }
}

halvesTest("a step of halves takes what its plan says", async (gpu) => {
  const of = config(tiny, "--device.precision", "f16");
  const plan = await planStep(gpu, of, SIZES);
  const before = gpu.memory.liveBytes;
  using trainer = new Trainer(gpu, modelOf(of), trainerOptionsOf(of, gpu));
  using feed = new Feed(gpu, noise(of, SIZES), feedOptionsOf(of));
  using recorded = await recordStep(gpu, trainer, feed, { canaries: true });
  assert.equal(plan.total, gpu.memory.liveBytes - before);
  assert.deepEqual({ flops: plan.flops, dispatches: plan.dispatches }, recorded.cost);
});

halvesTest(
  "halves are a remedy where they are not taken yet, and never a ResNet's",
  async (gpu) => {
    const changes = async (text: string, ...args: string[]) => {
      const of = config(text, ...args);
      const found = await remedies(gpu, of, SIZES, await planStep(gpu, of, SIZES), Infinity);
      return found.map(({ change }) => change).filter((change) => /precision/.test(change));
    };
    assert.deepEqual(await changes(small), ["device.precision f16"]);
    assert.deepEqual(await changes(small, "--device.precision", "f16"), []);
    assert.deepEqual(await changes(resnet18), []);
    assert.deepEqual(Object.keys(await activationBytes(gpu, config(resnet18), SIZES)), ["f32"]);
  },
);
