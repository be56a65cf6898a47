/** The cost model of GPUs beside figures by hand; and what the ops of a step dispatch and move on a GPU. */
import assert from "node:assert/strict";
import { kernelSums } from "../bench/cost_model.ts";
import { declaredOf } from "../bench/cost_model/declared.ts";
import { footprintOf } from "../bench/cost_model/footprint.ts";
import {
  estimate,
  innerRate,
  type PaperDispatch,
  residentGroups,
} from "../bench/cost_model/model.ts";
import { dispatchesOf, PaperGpu } from "../bench/cost_model/step.ts";
import { GPUS, peakOf } from "../bench/gpu_figures.ts";
import { parseConfig } from "../lib/config.ts";
import { record } from "../lib/gpu.ts";
import { definedKernels } from "../lib/gpu/kernel.ts";
import { attention } from "../lib/ops/attention.ts";
import { layerNorm } from "../lib/ops/layer_norm.ts";

const RTX = GPUS.find(({ name }) => name === "GeForce RTX 4090")!;

function kernel(name: string) {
  return definedKernels().find((source) => source.name === name)!;
}

Deno.test("footprintOf() counts invocations and workgroup memory in a kernel's text", () => {
  // 256 vec4s of own rows, 256 of others, 256 numbers; and 64 pairs.
  const tile = { ROWS: 4, HEIGHT: 8, OWN: 256, CHUNKS: 2, VEC: true };
  assert.deepEqual(footprintOf(kernel("attention_tiled"), tile), {
    invocations: 64,
    memory: 4096 + 4096 + 1024,
    load: 16,
  });
  assert.equal(footprintOf(kernel("attention_tiled"), { ...tile, VEC: false }).load, 4);
  const held = footprintOf(kernel("layer_norm_held"), { LANES: 8, PER: 2 });
  assert.deepEqual([held.invocations, held.memory], [64, 512]);
});

Deno.test("residentGroups() is the least of what registers, memory and invocations allow", () => {
  const d = { invocations: 64, memory: 9216, registers: 92 } as PaperDispatch;
  // 92 registers are 96, 64 of these 6,144 of 65,536; 9 KiB and one beside are a tenth of 100.
  assert.equal(residentGroups(RTX, d), 10);
  assert.equal(residentGroups(RTX, { ...d, registers: 200 }), 5);
  assert.equal(residentGroups(RTX, { ...d, memory: 15 * 1024 }), 6);
  assert.equal(residentGroups(RTX, { ...d, memory: 0, registers: 16 }), 24);
});

Deno.test("innerRate() is bound by instructions or by workgroup memory", () => {
  // 64 multiply-adds, 8 loads and 8 more: 16 clocks of 20. Reads: 4 · 64 and 4 · 128 of 128 bytes a clock, or 8 · 512.
  const loop = { fmas: 64, loads: [4, 4, 4, 4, 8, 8, 8, 8], others: 8 };
  assert.deepEqual(innerRate(RTX, loop), { best: 16 / 20, worst: 16 / 32, memory: true });
  assert.deepEqual(innerRate(RTX, { ...loop, fmas: 256 }), {
    best: 64 / 68,
    worst: 64 / 68,
    memory: false,
  });
});

Deno.test("rows and keys beyond a sequence are counted", () => {
  const of = (tokens: number) =>
    declaredOf("attention_tiled", { ROWS: 4, HEIGHT: 8, CHUNKS: 2 }, { tokens, head_dim: 64 });
  assert.equal(of(64).padding, 1);
  assert.equal(of(197).padding, (224 / 197) ** 2);
});

Deno.test("no dispatch of a step beats a GPU's peak or bandwidth, and all end", async () => {
  const config = parseConfig("data: { batch_size: 2 }\nmodel: { projection_output_dim: 64 }");
  const dispatches = await dispatchesOf(config);
  for (const gpu of GPUS) {
    for (const d of dispatches) {
      const { least, most, occupancy, resident } = estimate(gpu, d);
      const floor = Math.max(d.flops / peakOf(gpu), d.bytes / (1e9 * gpu.memory));
      assert.ok(least >= floor && most >= least && Number.isFinite(most), `${d.name}, ${gpu.name}`);
      assert.ok(resident >= 1 && occupancy <= 1, `${d.name}, ${gpu.name}: ${occupancy}`);
    }
  }
  const sums = kernelSums(dispatches);
  assert.equal(sums.reduce((n, { all }) => n + all.length, 0), dispatches.length);
});

/** Kernels and bytes of what is dispatched on a GPU. */
async function dispatched(fn: (gpu: PaperGpu) => void): Promise<[string, number][]> {
  const gpu = new PaperGpu();
  await record(gpu, () => fn(gpu));
  return gpu.dispatches.map(({ name, bytes }) => [name, bytes]);
}

Deno.test("on a GPU layer norm's gradients are two dispatches, and each tensor is bound once", async () => {
  const [rows, dim] = [12608, 384];
  const found = await dispatched((gpu) => {
    const row = () => ({ data: gpu.persistent([dim]), grad: gpu.persistent([dim]) });
    const x = gpu.persistent([rows, dim]);
    const { backward } = layerNorm(gpu, x, row(), row());
    backward(x, x);
  });
  const whole = 4 * rows * dim, stats = 8 * rows, row = 4 * dim;
  const parts = rows / 32 * row;
  assert.deepEqual(found, [
    ["layer_norm_held", 2 * whole + stats + 2 * row],
    ["layer_norm_grad_held", 4 * whole + stats + row + 2 * parts],
    ["column_sum", 2 * parts + 2 * row],
  ]);
});

Deno.test("on a GPU attention is one dispatch forward and two back, without the N × N matrix", async () => {
  const [batch, tokens, heads, dim] = [2, 197, 6, 384];
  const found = await dispatched((gpu) => {
    const { backward } = attention(gpu, gpu.persistent([batch, tokens, 3 * dim]), heads);
    backward(gpu.persistent([batch, tokens, dim]));
  });
  const [y, row] = [4 * batch * tokens * dim, 4 * batch * heads * tokens];
  assert.deepEqual(found, [
    ["attention_tiled", 3 * y + y + row],
    ["attention_tiled_q", 3 * y + 2 * y + 3 * y + 2 * row],
    ["attention_tiled_kv", 3 * y + y + 3 * y + 2 * row],
  ]);
});
