/** Every kernel, with all constants that plans give it, by a second compiler: what Deno's takes may be no WGSL. */
import assert from "node:assert/strict";
import { type Config, parseConfig, parseOverrides } from "../lib/config.ts";
import type { Gpu } from "../lib/gpu.ts";
import { partOf } from "../lib/gpu/divide.ts";
import { sharesMemory, watch } from "../lib/prove/races.ts";
import { type Compiled, definedKernels, type KernelSource } from "../lib/gpu/kernel.ts";
import { attention } from "../lib/ops/attention.ts";
import { conv2d } from "../lib/ops/conv2d.ts";
import { gelu } from "../lib/ops/gelu.ts";
import { softmax } from "../lib/ops/softmax.ts";
import { choicesOf, CompiledKernels, type Profile, profiles } from "./support/compiled.ts";
import { gpuTest } from "./support/gpu.ts";
import { lacks, testUnless } from "./support/permissions.ts";
import { complaints, lacksTint } from "./support/tint.ts";

const CONFIGS = new URL("../configs/", import.meta.url);

/** What no configuration of configs/ turns on, as changes of one of them. */
const CHANGES: readonly [name: string, changes: string][] = [
  [
    "small",
    "loss.centering=sinkhorn_knopp loss.koleo_weight=0.1 training.gradient_clip_mode=global_norm",
  ],
  [
    "small",
    "loss.ibot_weight=1 loss.gram_weight=1 loss.gram_refresh_epochs=1 training.gradient_accumulation_steps=2",
  ],
  [
    "small",
    "loss.contrastive_weight=1 loss.contrastive_temp_learned=true training.recompute=true",
  ],
  ["small", "model.mlp=swiglu model.pos_embed=rope model.layer_scale=0.1 model.registers=3"],
  ["small", "model.class_token=false model.feature=mean model.drop_path_rate=0.1"],
  ["small", "optimizer.optimizer=sgd optimizer.nesterov=true"],
  ["small", "device.precision=f16"],
  [
    "small",
    "device.precision=f16 model.dim=60 model.mlp=swiglu model.layer_scale=0.1 model.registers=3 model.drop_path_rate=0.1",
  ],
  [
    "small",
    "device.precision=f16 model.pos_embed=rope loss.ibot_weight=1 loss.gram_weight=1 loss.gram_refresh_epochs=1",
  ],
];

function configOf(name: string, changes = ""): Config {
  const text = Deno.readTextFileSync(new URL(`${name}.yaml`, CONFIGS));
  const args = changes.split(" ").filter(Boolean).flatMap((change) => {
    const [key, value] = change.split("=");
    return [`--${key}`, value];
  });
  return parseConfig(text, parseOverrides(args));
}

/** Ops that no step has: what looks at attention, what fits a probe, and what only callers of the library use. */
function loneOps(gpu: Gpu): void {
  for (const headDim of [16, 9]) {
    const qkv = gpu.empty([1, 5, 6 * headDim]);
    attention(gpu, qkv, 2).map();
    attention(gpu, qkv, 2).backward(gpu.empty([1, 5, 2 * headDim]));
  }
  for (const columns of [10, 64, 5000]) {
    softmax(gpu, gpu.empty([7, columns])).backward(gpu.empty([7, columns]));
  }
  gelu(gpu, gpu.empty([7])).backward(gpu.empty([7]));
  for (const channels of [3, 4]) {
    for (const outputs of [5, 8]) {
      const shape = [outputs, channels, 3, 3];
      const weight = { data: gpu.empty(shape), grad: gpu.empty(shape) };
      const { y, backward } = conv2d(gpu, gpu.empty([2, 9, 9, channels]), weight, { padding: 1 });
      backward(y);
    }
  }
}

let plans: Promise<Compiled[]> | undefined;

function compiledByPlans(): Promise<Compiled[]> {
  return plans ??= compileByPlans();
}

async function compileByPlans(): Promise<Compiled[]> {
  const kernels = new CompiledKernels();
  const names = [...Deno.readDirSync(CONFIGS)].map(({ name }) => name.replace(/\.yaml$/, ""))
    .sort();
  const all: [string, string][] = [
    ...names.map((name): [string, string] => [name, ""]),
    ...CHANGES,
  ];
  const plan = async ({ name, gpu }: Profile, wanted: typeof all) => {
    for (const [config, changes] of wanted) {
      const where = `${config} ${changes} on ${name}`;
      await kernels.ofPlan(where, gpu, configOf(config, changes));
    }
    await kernels.ofOps(`lone ops on ${name}`, gpu, loneOps);
  };
  for (const profile of profiles()) {
    await plan(profile, all);
    if (profile.gpu.isSoftware) continue; // these choose nothing
    await kernels.ofTuning(profile);
    const few: typeof all = [
      ...[["small", ""], ["small", "model.dim=60"], ["resnet18", ""]] as typeof all,
      ["small", "device.precision=f16"],
      ["small", "device.precision=f16 model.dim=60"],
    ];
    for (const choice of choicesOf(profile)) await plan(choice, few);
  }
  return [...kernels.all.values()];
}

testUnless(
  [lacksTint, lacks("read")],
  "Tint takes every kernel with all constants that plans give it, without a warning",
  async () => {
    const compiled = await compiledByPlans();
    const met = new Set(compiled.map(({ source }) => source));
    const missed = definedKernels().filter((kernel) => !met.has(kernel)).map(({ name }) => name);
    assert.deepEqual(missed, [], "kernels that no plan takes: add what does to this test");
    assert.deepEqual((await complaints(compiled)).filter(Boolean), []);
  },
);

gpuTest("Deno's compiler takes the same kernels for GPUs of every kind", async (gpu) => {
  const { device } = gpu;
  const halves = device.features.has("shader-f16");
  const texts = new Map<string, string>();
  for (const { source, code } of await compiledByPlans()) {
    if (halves || !code.startsWith("enable f16;")) texts.set(code, source.name);
  }
  for (const [code, name] of texts) {
    device.pushErrorScope("validation");
    device.createShaderModule({ code });
    assert.equal((await device.popErrorScope())?.message, undefined, name);
  }
}, ["read"]);

testUnless(
  [lacksTint, lacks("read")],
  "Tint takes every kernel in the forms for a part of its work, and for watching races",
  async () => {
    const whole = new Map<KernelSource, Compiled>();
    for (const one of await compiledByPlans()) {
      if (!one.code.startsWith("enable f16;")) whole.set(one.source, one);
    }
    const kernels = new CompiledKernels();
    const [{ gpu }] = profiles();
    const shared = [...whole.values()].filter(({ source }) => sharesMemory(source));
    await kernels.of("other forms", () => {
      for (const { source, constants } of whole.values()) {
        gpu.kernels.get(partOf(source), constants, []);
      }
      for (const { source, constants } of shared) {
        gpu.kernels.get(watch(source).source, constants, []);
      }
    });
    assert.equal(kernels.all.size, whole.size + shared.length);
    assert.deepEqual((await complaints([...kernels.all.values()])).filter(Boolean), []);
  },
);

testUnless([lacksTint], "Tint complains about what Deno's compiler lets through", async () => {
  const main = (body: string) =>
    `struct Params { n: u32 }
    @group(0) @binding(0) var<uniform> params: Params;
    @group(0) @binding(1) var<storage, read_write> x: array<f32>;
    override BIG: bool = false;
    var<workgroup> shared_x: array<f32, 64>;
    @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {
      ${body}
    }`;
  const source = { name: "spoiled", subgroups: false } as KernelSource;
  const spoiled = (body: string, constants = {}) => ({ source, code: main(body), constants });
  const [right, early, nan, unreachable, unknown] = await complaints([
    spoiled("if (i < params.n) { x[i] = shared_x[i]; }"),
    spoiled("if (i >= params.n) { return; } workgroupBarrier(); x[i] = shared_x[i];"),
    spoiled("x[i] = bitcast<f32>(0x7fc00000u);"),
    spoiled("x[i] = 1.0; return; x[i] = 2.0;"),
    spoiled("x[i] = 1.0 / f32(BIG);", { UNKNOWN: 1 }),
  ]);
  assert.equal(right, "");
  assert.match(
    early,
    /^spoiled {}: line 7: error: 'workgroupBarrier' must only be called from unif/,
  );
  assert.match(nan, /error: value nan cannot be/);
  assert.match(unreachable, /warning: code is unreachable/);
  assert.match(unknown, /UNKNOWN/);
});
