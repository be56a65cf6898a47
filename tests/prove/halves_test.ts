/** What a step of halves dispatches, against float64. */
import assert from "node:assert/strict";
import { type Config, parseConfig } from "../../lib/config.ts";
import { precisionOf } from "../../lib/from_config.ts";
import type { Gpu } from "../../lib/gpu.ts";
import type { DispatchOptions } from "../../lib/gpu/dispatch.ts";
import type { KernelSource } from "../../lib/gpu/kernel.ts";
import { tuningTasks } from "../../lib/ops.ts";
import { PRECISION } from "../../lib/ops/precision_task.ts";
import { EFFORTS, proveMachine } from "../../lib/prove/machine.ts";
import { profiles } from "../../lib/prove/survey.ts";
import { halvesTest } from "../support/gpu.ts";

function config(model: string, precision = "f16"): Config {
  return parseConfig(`
data: {batch_size: 3, max_pixels: 400}
augmentation: {global_crop_size: 12, local_crop_size: 8, num_local_views: 2}
model:
  {backbone: custom, heads: 3, depth: 2, patch_size: 4, projection_hidden_dim: 40, projection_bottleneck_dim: 12,
  projection_output_dim: 72, ${model}}
scheduler: {warmup_epochs: 0}
device: {precision: ${precision}}
evaluation: {batch_size: 3}`);
}

const MODELS = [
  "dim: 36, drop_path_rate: 0.2",
  "dim: 21, layer_scale: 0.1, registers: 1",
  "dim: 48, mlp: swiglu, pos_embed: rope",
];

for (const model of MODELS) {
  halvesTest(
    `kernels on halves are right to the rounding of what they store: ${model}`,
    async (gpu) => {
      const { proofs, strikes, broken } = await proveMachine(gpu, {
        config: config(model),
        effort: EFFORTS.short,
      });
      assert.deepEqual([strikes, broken], [[], []]);
      const halves = proofs.filter(({ capture }) => capture.halves.length);
      const families = new Set(halves.map(({ family }) => family));
      assert.ok(families.size >= 4 && halves.length > 40, [...families].join());
      for (const { capture, compared, error } of halves) {
        assert.ok(compared > 0 && error <= 1, `${capture.source.name}: ${error}`);
      }
      // Without what rounding may do, they would be far off: nothing here is f32 in disguise.
      assert.ok(halves.some(({ error }) => error > 0.1));
      gpu.struck = new Set();
    },
  );
}

/** A GPU on which layer norms of halves compute something else. */
function spoiled(gpu: Gpu): Gpu {
  return new Proxy(gpu, {
    get(target, key) {
      const value = Reflect.get(target, key, target);
      if (key !== "dispatch") return typeof value === "function" ? value.bind(target) : value;
      return (source: KernelSource, options: DispatchOptions) => {
        const wrong = /^layer_norm/.test(source.name) && options.bindings.y?.dtype === "f16";
        const params = wrong ? { ...options.params, eps: 0.1 } : options.params;
        target.dispatch(source, { ...options, params });
      };
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}

halvesTest("wrong halves are struck off alone, and then not taken", async (gpu) => {
  const bad = spoiled(gpu);
  const { strikes, broken } = await proveMachine(bad, {
    config: config(MODELS[0]),
    effort: EFFORTS.short,
  });
  assert.deepEqual(strikes.map(({ name }) => name), ["precision f16"]);
  assert.match(strikes[0].kernel, /^layer_norm/);
  assert.match(broken[0].fault, /a kernel was found wrong with them, as `deno task prove` tells/);
  gpu.choices = new Map([[PRECISION, "f16"]]);
  assert.equal(precisionOf(config(MODELS[0], "auto"), gpu), "f32");
  assert.deepEqual(tuningTasks(gpu).find(({ name }) => name === PRECISION)!.candidates, ["f32"]);
  gpu.choices = new Map();
  gpu.struck = new Set();
});

halvesTest("every way of choosing kernels is proven with f32 and with halves", (gpu) => {
  const all = profiles(tuningTasks(gpu)).map((choices) => [...choices]);
  const of = (precision: string) =>
    all.filter((choices) => choices.some(([name, way]) => name === PRECISION && way === precision))
      .map((choices) => choices.filter(([name]) => name !== PRECISION));
  assert.deepEqual(of("f32"), of("f16"));
  assert.equal(of("f32").length * 2, all.length);
});
