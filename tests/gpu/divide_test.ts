/** Kernels of any text run in parts as they run whole. */
import assert from "node:assert/strict";
import { defineKernel, grid } from "../../lib/gpu.ts";
import { gpuTest } from "../support/gpu.ts";

const MAIN = `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + lane;
  if (i < arrayLength(&y)) { y[i] += VALUE; }
}`;
const OUT = (binding: number) =>
  `@group(0) @binding(${binding}) var<storage, read_write> y: array<f32>;`;

const KERNELS = {
  params: defineKernel(
    "divided_params",
    `struct Params { scale: f32 }\n@group(0) @binding(0) var<uniform> params: Params;\n${OUT(1)}` +
      MAIN.replace("VALUE", "params.scale * f32(i)"),
  ),
  "another name": defineKernel(
    "divided_named",
    `struct Params { scale: f32 }\n@group(0) @binding(0) var<uniform> given:Params;\n${OUT(1)}` +
      MAIN.replace("VALUE", "given.scale * f32(i)"),
  ),
};

for (const [name, kernel] of Object.entries(KERNELS)) {
  gpuTest(`a kernel is divided whatever its uniforms are called: ${name}`, async (gpu) => {
    const y = gpu.persistent([1000]), { maxMs } = gpu.pace;
    gpu.pace.maxMs = 1e-9; // nothing is short enough
    try {
      gpu.dispatch(kernel, {
        bindings: { y },
        params: { scale: 2 },
        workgroups: grid(1000, 64),
      });
      assert.deepEqual(await y.read(), Float32Array.from({ length: 1000 }, (_, i) => 2 * i));
    } finally {
      gpu.pace.maxMs = maxMs;
      y.destroy();
    }
  });
}
