/** Every kernel, with what it shares, compiles on this adapter; arguments are checked by name. */
import assert from "node:assert/strict";
import "../../mod.ts";
import "../../lib/eval/linear_probe.ts";
import "../../lib/ops.ts";
import { defineKernel, openGpu } from "../../lib/gpu.ts";
import { definedKernels } from "../../lib/gpu/kernel.ts";
import { interfaceOf } from "../../lib/gpu/wgsl.ts";
import { gpuTest } from "../support/gpu.ts";

const SHARED = {
  name: "twice_for_tests",
  code: "// Twice.\n\nfn twice(v: f32) -> f32 {\n  return v + v;\n}\n",
};
const CODE = `
struct Params {
  n: u32, // elements
  shift: i32,
  factor: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
// @group(0) @binding(9) var<storage, read> gone: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
override FIRST: u32 = 0u;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < FIRST || id.x >= params.n) { return; }
  y[id.x] = params.factor * twice(x[id.x]) + f32(params.shift);
}`;
const KERNEL = defineKernel("composed_for_tests", CODE, { shared: [SHARED] });

gpuTest("every kernel compiles with what it shares", async (gpu) => {
  const kernels = definedKernels().filter(({ name }) => !name.endsWith("_for_tests"));
  assert.ok(kernels.length > 45, `only ${kernels.length} kernels are loaded`);
  assert.ok(kernels.some(({ files }) => files.length > 1), "none shares anything");
  for (const kernel of kernels) {
    if (kernel.subgroups && gpu.subgroupSize === 0) continue;
    gpu.kernels.get(kernel);
    await gpu.kernels.check();
  }
});

Deno.test("a kernel's arguments are read from its text", () => {
  assert.deepEqual(KERNEL.params, [
    { name: "n", type: "u32" },
    { name: "shift", type: "i32" },
    { name: "factor", type: "f32" },
  ]);
  assert.deepEqual(KERNEL.bindings, [
    { name: "x", writable: false, halves: false },
    { name: "y", writable: true, halves: false },
  ]);
  assert.deepEqual([...KERNEL.overrides], ["FIRST"]);
  const wrong: [string, RegExp][] = [
    ["fn main() {}", /expected struct Params/],
    ["struct Params { n: vec4f }", /u32, i32 or f32 but found n: vec4f/],
    ["struct Params { n: u32 }", /storage bindings 1…n without a gap/],
    [CODE.replace("@binding(1)", "@binding(3)"), /without a gap/],
    [CODE.replace("@group(0) @binding(1)", "@group(1) @binding(1)"), /group 0 but found x in 1/],
    [CODE.replace("@binding(0)", "@binding(4)"), /uniforms at binding 0 but found params at 4/],
  ];
  for (const [text, message] of wrong) assert.throws(() => interfaceOf("k", text), message);
  assert.throws(() => defineKernel("composed_for_tests", CODE), /expected one of that name/);
});

gpuTest(
  "Gpu.dispatch() takes arguments in any order and refuses wrong names and values",
  async (gpu) => {
    const x = gpu.tensor(Float32Array.of(1, 2, 3)), y = gpu.persistent([3]);
    const good = { n: 3, shift: -2, factor: 0.5 };
    const use = (params: Record<string, number>, bindings = { y, x }, constants = {}) =>
      gpu.dispatch(KERNEL, { params, bindings, constants, workgroups: [1] });
    use({ factor: 0.5, shift: -2, n: 3 });
    assert.deepEqual([...await y.read()], [-1, 0, 1]);
    use(good, undefined, { FIRST: 2 });
    const wrong: [() => void, RegExp][] = [
      [() => use({ n: 3, shift: 0 }), /expected f32 for params\.factor but found undefined/],
      [() => use({ ...good, n: -1 }), /expected u32 for params\.n but found -1/],
      [() => use({ ...good, n: 2 ** 32 }), /expected u32 for params\.n but found 4294967296/],
      [() => use({ ...good, shift: 0.5 }), /expected i32 for params\.shift but found 0\.5/],
      [() => use({ ...good, scale: 1 }), /expected Params \(n, shift, factor\) but found scale/],
      [() => use(good, { y, z: x } as never), /expected its bindings \(x, y\) but found z/],
      [() => use(good, { y } as never), /expected a tensor for x but none is given/],
      [() => use(good, undefined, { LAST: 1 }), /expected overrides \(FIRST\) but found LAST/],
    ];
    for (const [call, message] of wrong) assert.throws(call, message);
    for (const t of [x, y]) t.destroy();
  },
);

gpuTest("an error in what is shared is shown in its own file", async () => {
  const gpu = await openGpu();
  try {
    const shared = { ...SHARED, code: SHARED.code.replace("v + v", "v + w") };
    const kernel = defineKernel("broken_for_tests", CODE, { shared: [shared] });
    gpu.kernels.get(kernel);
    await assert.rejects(
      gpu.kernels.check(),
      /shared\/twice_for_tests\.wgsl:4:14: .*`w`\n {4}return v \+ w;/,
    );
  } finally {
    gpu.destroy();
  }
});
