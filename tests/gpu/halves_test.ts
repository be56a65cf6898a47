import assert from "node:assert/strict";
import {
  defineKernel,
  type Gpu,
  grid,
  kernelText,
  openGpu,
  record,
  type Tensor,
} from "../../lib/gpu.ts";
import type { Dispatch } from "../../lib/gpu/dispatch.ts";
import { divide } from "../../lib/gpu/divide.ts";
import { DryGpu } from "../../lib/gpu/dry.ts";
import { gpuTest, halvesTest } from "../support/gpu.ts";
import { normals } from "../support/numbers.ts";
import { halfError, rounded } from "../support/halves.ts";

/** y[i] = factor · x[i], where both may hold halves. */
const SCALE = defineKernel(
  "scale_halves_for_tests",
  `
struct Params { n: u32, factor: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<x_real>;
@group(0) @binding(2) var<storage, read_write> y: array<y_vec4>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (4u * id.x >= params.n) { return; }
  var v: vec4f;
  for (var k = 0u; k < 4u; k++) { v[k] = params.factor * f32(x[min(4u * id.x + k, params.n - 1u)]) + bias[0]; }
  y[id.x] = y_vec4(v);
}
`,
);

function scale(gpu: Gpu, x: Tensor, y: Tensor, factor: number, bias: Tensor): void {
  gpu.dispatch(SCALE, {
    bindings: { x, y, bias },
    params: { n: x.size, factor },
    workgroups: grid(Math.ceil(x.size / 4), 64),
  });
}

/** What a float64 is as a half by the definition of the format: to nearest, ties to even. */
function toHalf(x: number): number {
  const scale = 2 ** Math.max(-24, Math.floor(Math.log2(Math.abs(x))) - 10);
  const low = Math.floor(x / scale), rest = x / scale - low;
  const near = rest > 0.5 || rest === 0.5 && low % 2 !== 0 ? low + 1 : low;
  return Math.abs(near * scale) > 65504 ? Math.sign(x) * Infinity : near * scale;
}

halvesTest(
  "a tensor of halves keeps what it is given, rounded to the nearest, for half the memory",
  async (gpu) => {
    const edges = [65504, 65519.9, 65520, -7e4, 2 ** -24, 2 ** -26, 6e-8, 2049, 2051, 1 / 3, 1e30];
    for (const n of [1, 2, 7, 64, 4099]) {
      const given = normals(n, n, 100);
      given.set(edges.slice(0, n));
      const t = gpu.tensor(given, [n], "halves", "f16");
      assert.equal(t.bytes, 2 * n);
      assert.equal(t.storage.bytes, Math.ceil(Math.max(16, 2 * n) / 16) * 16);
      assert.deepEqual(Array.from(await t.read()), Array.from(given, toHalf));
      t.destroy();
    }
  },
);

halvesTest(
  "views of halves begin where the adapter binds them and are written alone",
  async (gpu) => {
    const t = gpu.tensor(normals(600, 1), [600], "halves", "f16");
    const before = await t.read();
    const step = gpu.alignment / 2;
    const part = t.view([4, 16], step);
    assert.deepEqual([part.dtype, part.offset], ["f16", gpu.alignment]);
    part.write(new Float32Array(64).fill(0.5));
    assert.deepEqual(await t.read(), before.fill(0.5, step, step + 64));
    assert.throws(() => t.view([4], step / 2), /starts at a multiple of 128 elements but found 64/);
    assert.throws(
      () => t.view([3], step).write(new Float32Array(3)),
      /expected an even number|even number of elements/,
    );
    assert.throws(
      () => t.write(new Uint32Array(600)),
      /Expected a Float32Array for halves\[600\] of f16/,
    );
    await assert.rejects(t.readU32(), /four bytes to read as u32 but found halves\[600\] of f16/);
    t.destroy();
  },
);

halvesTest("a kernel is compiled for what its tensors hold, and computes in f32", async (gpu) => {
  const before = gpu.kernels.size;
  const bias = gpu.tensor(Float32Array.of(0.1));
  for (const n of [1, 5, 128]) {
    const given = rounded(normals(n, 3, 10));
    for (const from of ["f32", "f16"] as const) {
      for (const to of ["f32", "f16"] as const) {
        const x = gpu.tensor(given, [n], "x", from), y = gpu.persistent([n], "y", to);
        scale(gpu, x, y, 3.3, bias);
        const found = await y.read();
        given.forEach((v, i) => {
          const wanted = Math.fround(3.3) * v + Math.fround(0.1);
          const bound = Math.abs(wanted) * 2 ** -22 + 1e-6 + (to === "f16" ? halfError(wanted) : 0);
          assert.ok(
            Math.abs(found[i] - wanted) <= bound,
            `${from} to ${to}: ${found[i]}, not ${wanted}`,
          );
        });
        for (const t of [x, y]) t.destroy();
      }
    }
  }
  assert.equal(gpu.kernels.size, before + 4);
  bias.destroy();
});

halvesTest("a program plans halves by their bytes, and a dry one as well", async (gpu) => {
  for (const device of [gpu, new DryGpu(gpu)]) {
    const x = device.persistent([1000]), bias = device.persistent([1]);
    const plan = async (dtype: "f32" | "f16") => {
      using program = await record(device, () => {
        const middle = device.empty([1000], "middle", dtype), y = device.empty([1000]);
        scale(device, x, middle, 1, bias);
        scale(device, middle, y, 1, bias);
        return y;
      });
      return program.temporaryBytes;
    };
    assert.deepEqual([await plan("f32"), await plan("f16")], [8000, 6000]);
    for (const t of [x, bias]) t.destroy();
  }
});

halvesTest("halves are refused by name on a binding that takes f32 alone", (gpu) => {
  const x = gpu.persistent([4]), bias = gpu.persistent([4], "half bias", "f16");
  assert.throws(
    () => scale(gpu, x, x.view([4]), 1, bias),
    /Kernel scale_halves_for_tests: expected f32 for bias but found half bias\[4\] of f16: this kernel takes no halves/,
  );
  for (const t of [x, bias]) t.destroy();
});

gpuTest("halves are refused where the device has none", async () => {
  const gpu = await openGpu({ limits: "portable" });
  try {
    assert.equal(gpu.hasHalves, false);
    for (const make of [() => gpu.persistent([4], "x", "f16"), () => gpu.empty([4], "x", "f16")]) {
      assert.throws(
        make,
        /Expected an adapter with shader-f16 for x, a tensor of f16, but .* use f32/,
      );
    }
    await assert.rejects(record(gpu, () => gpu.empty([4], "x", "f16")), /shader-f16/);
  } finally {
    gpu.destroy();
  }
});

Deno.test("defineKernel() refuses elements named after another binding", () => {
  const text = (element: string) =>
    `struct Params { n: u32 }
     @group(0) @binding(0) var<uniform> params: Params;
     @group(0) @binding(1) var<storage, read> x: array<${element}>;
     @compute @workgroup_size(1) fn main() {}`;
  assert.throws(
    () => defineKernel("halves_misnamed_for_tests", text("y_real")),
    /expected x to be an array of x_vec4 or x_real but found y_real/,
  );
  const plain = defineKernel("halves_none_for_tests", text("vec4f"));
  assert.equal(kernelText(plain), plain.code);
});

Deno.test("kernelText() names what bindings are arrays of before the first line", () => {
  const [first] = kernelText(SCALE, ["x"]).split("\n");
  assert.equal(
    first,
    "enable f16; alias x_vec4 = vec4<f16>; alias x_real = f16; alias y_vec4 = vec4<f32>; alias y_real = f32; ",
  );
  assert.equal(kernelText(SCALE).split("\n").length, SCALE.code.split("\n").length);
  assert.ok(!kernelText(SCALE).includes("enable"));
});

halvesTest("a dispatch of halves is divided into dispatches of halves", (gpu) => {
  const x = gpu.tensor(normals(4096, 5), [4096], "x", "f16"), bias = gpu.tensor(Float32Array.of(1));
  const y = gpu.persistent([4096], "y", "f16");
  const seen: Dispatch[] = [];
  const recorder = { dispatch: (d: Dispatch) => void seen.push(d) };
  gpu.recorder = recorder as unknown as typeof gpu.recorder;
  scale(gpu, x, y, 2, bias);
  gpu.recorder = undefined;
  const divided = divide(gpu.kernels, seen[0], 3);
  assert.deepEqual(
    divided.map(({ pipeline }) => pipeline.halves),
    Array(divided.length).fill(["x", "y"]),
  );
  assert.ok(divided.length >= 3);
  for (const t of [x, bias, y]) t.destroy();
});
