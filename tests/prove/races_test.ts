/** Races between barriers are found in kernels that have one, and in no other. */
import assert from "node:assert/strict";
import { type KernelSource, openGpu } from "../../lib/gpu.ts";
import { definedKernels } from "../../lib/gpu/kernel.ts";
import { sharesMemory, watch } from "../../lib/prove/races.ts";
import { captureOdd } from "../../lib/prove/survey.ts";
import { toWatch, watchAll } from "../../lib/prove/watch.ts";
import { gpuTest } from "../support/gpu.ts";
import { withSpoiled } from "../support/spoil.ts";

Deno.test("every kernel whose invocations share memory can be watched", () => {
  const kernels = definedKernels().filter(sharesMemory);
  assert.ok(kernels.length > 20);
  for (const kernel of kernels) assert.ok(watch(kernel).variables.length, kernel.name);
});

Deno.test("watch() refuses a kernel with a local that has a variable's name", () => {
  const code = `struct Params { n: u32 }
    @group(0) @binding(0) var<uniform> params: Params;
    @group(0) @binding(1) var<storage, read_write> x: array<f32>;
    fn twice(x: vec4f) -> f32 { return 2.0 * x[0]; }
    @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {
      x[i] = twice(vec4f(f32(params.n)));
    }`;
  const source = { name: "test_shadow", code, subgroups: false } as KernelSource;
  assert.throws(() => watch(source), /expected x to be one variable/);
});

gpuTest("no kernel that is watched here has a race", async (gpu) => {
  const watched = await watchAll(gpu, toWatch(gpu, await captureOdd(gpu, 3)));
  assert.ok(watched.length > 20, `${watched.length}`);
  for (const { capture, fault } of watched) assert.equal(fault, "", capture.source.name);
});

gpuTest("a missing barrier is a race, whatever the results are", async () => {
  await withSpoiled(
    "softmax",
    (code) => code.replaceAll("workgroupBarrier();", ""),
    async () => {
      using gpu = await openGpu();
      const all = toWatch(gpu, await captureOdd(gpu, 1));
      const list = all.filter(({ source }) => source.name === "softmax");
      assert.ok(list.length > 0);
      for (const { fault } of await watchAll(gpu, list)) assert.match(fault, /; a race$/);
    },
  );
});
