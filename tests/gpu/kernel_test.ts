import assert from "node:assert/strict";
import { defineKernel, type Gpu, grid, openGpu, record, type Tensor } from "../../lib/gpu.ts";
import { matmul } from "../../lib/ops/matmul.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";

/** y[i] = factor · x[i] + i, in two-dimensional grids as well. */
const SCALE = defineKernel(
  "scale_for_tests",
  `
struct Params { n: u32, factor: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
override OFFSET: u32 = 0u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = (wg.y * num.x + wg.x) * 64u + local;
  if (i >= params.n) { return; }
  y[i] = params.factor * x[i] + f32(i) + f32(OFFSET);
}
`,
);

function scale(gpu: Gpu, x: Tensor, y: Tensor, factor: number, offset?: number): void {
  gpu.dispatch(SCALE, {
    constants: offset === undefined ? {} : { OFFSET: offset },
    bindings: { x, y },
    params: { n: x.size, factor },
    workgroups: grid(x.size, 64),
  });
}

/** A GPU of its own for tests that leave errors behind. */
async function withGpu(fn: (gpu: Gpu) => Promise<void>, limits?: "portable"): Promise<void> {
  const gpu = await openGpu({ limits });
  try {
    await fn(gpu);
  } finally {
    gpu.destroy();
  }
}

/** Fails rather than hangs. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing happened within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

gpuTest("Gpu.dispatch() passes u32 params, f32 params, overrides and tensors", async (gpu) => {
  const x = gpu.tensor(Float32Array.of(1, 2, 3, 4, 5)), y = gpu.empty([5]);
  scale(gpu, x, y, 0.5);
  assert.deepEqual([...await y.read()], [0.5, 2, 3.5, 5, 6.5]);
  scale(gpu, x, y, -1, 100);
  assert.deepEqual([...await y.read()], [99, 99, 99, 99, 99]);
  x.destroy();
  y.destroy();
});

gpuTest("Gpu.dispatch() keeps the order of more dispatches than one submit holds", async (gpu) => {
  const a = gpu.persistent([3]), b = gpu.persistent([3]);
  for (let i = 0; i < 301; i++) {
    scale(gpu, a, b, 1);
    scale(gpu, b, a, 1);
  }
  assert.deepEqual([...await a.read()], [0, 602, 1204]);
  a.destroy();
  b.destroy();
});

gpuTest("KernelCache.get() compiles a kernel once per set of constants", (gpu) => {
  const first = gpu.kernels.get(SCALE, { OFFSET: 7 });
  const size = gpu.kernels.size;
  assert.equal(gpu.kernels.get(SCALE, { OFFSET: 7 }), first);
  assert.equal(gpu.kernels.size, size);
  assert.notEqual(gpu.kernels.get(SCALE, { OFFSET: 8 }), first);
  assert.equal(gpu.kernels.size, size + 1);
});

Deno.test("grid() covers n invocations within the limit per dimension", () => {
  for (const n of [0, 1, 64, 65, 65535 * 64, 65535 * 64 + 1, 2 ** 30]) {
    const [x, y, z] = grid(n, 64);
    assert.ok(x * y * z * 64 >= n && x >= 1 && x <= 65535 && y <= 65535 && z === 1, `${n}`);
    assert.ok(x * y * 64 < n + 64 * (y + 1), `${n}: workgroups without work`);
  }
});

gpuTest(
  "a kernel that does not compile is named, with the line, at the next read",
  () =>
    withGpu(async (gpu) => {
      const wrong = defineKernel("wrong_for_tests", SCALE.code.replace("params.n", "params.count"));
      const t = gpu.persistent([4]), out = gpu.persistent([4]);
      const use = () =>
        gpu.dispatch(wrong, {
          bindings: { x: t, y: out },
          params: { n: 4, factor: 1 },
          workgroups: [1],
        });
      for (let attempt = 1; attempt <= 2; attempt++) {
        use();
        await assert.rejects(out.read(), (error: Error) => {
          assert.equal(error.name, "HatchlingError", `attempt ${attempt}`);
          assert.match(error.message, /Kernel wrong_for_tests\.wgsl does not compile/);
          assert.match(
            error.message,
            /wrong_for_tests\.wgsl:11:19: .*invalid field accessor `count`/,
          );
          return true;
        });
      }
      await assert.rejects(record(gpu, use), /Kernel wrong_for_tests\.wgsl does not compile/);
      // Told at each use, and what follows works.
      scale(gpu, t, out, 1);
      assert.deepEqual([...await out.read()], [0, 1, 2, 3]);
    }),
);

gpuTest(
  "a validation error is an exception at the next wait, and told once",
  () =>
    withGpu(async (gpu) => {
      const t = gpu.persistent([4], "both");
      scale(gpu, t, t, 1); // bound as input and as output
      await assert.rejects(gpu.idle(), /HatchlingError: The GPU reported: [^]*both/);
      const out = gpu.empty([4]);
      scale(gpu, t, out, 1);
      assert.deepEqual([...await out.read()], [0, 1, 2, 3]);
    }),
);

gpuTest(
  "Gpu.dispatch() refuses what the adapter's limits forbid, naming the kernel",
  () =>
    withGpu(async (gpu) => {
      const { maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage } = gpu.limits;
      assert.equal(maxStorageBufferBindingSize, 128 * 1024 * 1024);
      const small = gpu.empty([4]);
      const large = gpu.empty([maxStorageBufferBindingSize / 4 + 1], "logits");
      assert.throws(
        () => scale(gpu, small, large, 1),
        /Kernel scale_for_tests: tensor logits\[33554433\] has 134217732 bytes, more than the 134217728/,
      );
      assert.throws(
        () =>
          gpu.dispatch(SCALE, {
            bindings: { x: small, y: small },
            params: { n: 4, factor: 1 },
            workgroups: [65536],
          }),
        /Kernel scale_for_tests: expected 1 to 65535 workgroups per dimension but found \[65536\]/,
      );
      assert.throws(
        () =>
          gpu.dispatch(SCALE, {
            bindings: { x: small, y: small },
            params: { n: 4, factor: 1 },
            workgroups: [1, 0],
          }),
        /expected 1 to 65535 workgroups .* but found \[1,0\]/,
      );
      const names = Array.from({ length: maxStorageBuffersPerShaderStage + 1 }, (_, i) => `t${i}`);
      const declared = names.map((name, i) =>
        `@group(0) @binding(${i + 1}) var<storage, read> ${name}: array<f32>;`
      );
      const greedy = defineKernel(
        "greedy_for_tests",
        `struct Params { n: u32 }\n${declared.join("\n")}`,
      );
      const bindings = Object.fromEntries(names.map((name) => [name, small]));
      assert.throws(
        () => gpu.dispatch(greedy, { bindings, params: { n: 4 }, workgroups: [1] }),
        /binds 9 storage buffers but this adapter allows 8/,
      );
      assert.throws(
        () => gpu.empty([2 ** 28], "attention"),
        /attention needs 1073741824 bytes in one/,
      );
      await gpu.idle();
    }, "portable"),
);

gpuTest("openGpu() with portable limits runs the same ops", () =>
  withGpu(async (gpu) => {
    const limits = [
      gpu.limits.maxStorageBuffersPerShaderStage,
      gpu.limits.maxComputeInvocationsPerWorkgroup,
      gpu.limits.maxComputeWorkgroupStorageSize,
    ];
    assert.deepEqual(limits, [8, 256, 16384]);
    const da = normals(5 * 3, 1), db = normals(3 * 7, 2);
    const y = matmul(gpu, gpu.tensor(da, [5, 3]), gpu.tensor(db, [3, 7]));
    assertClose(await y.read(), matmulF64(da, db, [5, 3, 7]), 2e-6);
  }, "portable"));

gpuTest("a lost device is a clear error rather than a hang", () =>
  withGpu(async (gpu) => {
    const x = gpu.tensor(Float32Array.of(1, 2)), y = gpu.empty([2]);
    scale(gpu, x, y, 1);
    await gpu.idle();
    gpu.device.destroy(); // from outside: not gpu.destroy()
    const use = async () => {
      scale(gpu, x, y, 1);
      await y.read();
    };
    for (let attempt = 1; attempt <= 2; attempt++) {
      await assert.rejects(within(10_000, use()), (error: Error) => {
        assert.equal(error.name, "HatchlingError", error.message);
        assert.match(error.message, /device was lost/);
        return true;
      });
    }
    await assert.rejects(within(10_000, gpu.idle()), /device was lost/);
    assert.throws(() => gpu.empty([4]), /device was lost/);
    x.destroy(); // still allowed: cleaning up must not throw
  }));
