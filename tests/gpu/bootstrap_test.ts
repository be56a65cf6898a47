import assert from "node:assert/strict";
import { type AdapterChoice, ensureAdapter } from "../../lib/gpu/bootstrap.ts";
import { HatchlingError } from "../../lib/errors.ts";

const states = await Promise.all(
  (["run", "read", "write", "env", "ffi"] as const).map((name) => Deno.permissions.query({ name })),
);
const allowed = states.every(({ state }) => state === "granted");
const linux = Deno.build.os === "linux";
/** Only where SwiftShader is used anyway, or in CI: nobody with a GPU shall download it for a test. */
const swiftShader = allowed && linux && Deno.build.arch === "x86_64" &&
  (Deno.env.has("CI") || (await ensureAdapter({ log: () => {} }).catch(() => null))?.source ===
      "swiftshader");

/** Doubles 0 … 15 on whatever adapter the bootstrap gives. */
const PROGRAM = `
  await import(${JSON.stringify(new URL("../../scripts/adapter.ts", import.meta.url).href)});
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  const device = await adapter.requestDevice();
  const code = "@group(0) @binding(0) var<storage, read_write> x: array<f32>;" +
    "@compute @workgroup_size(16) fn main(@builtin(local_invocation_index) i: u32) {" +
    "x[i] = 2.0 * f32(i); }";
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }) },
  });
  const x = device.createBuffer({ size: 64, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const copy = device.createBuffer({ size: 64, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = [{ binding: 0, resource: { buffer: x } }];
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(x, 0, copy, 0, 64);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  console.log(adapter.info.description + "|" + new Float32Array(copy.getMappedRange()).join());`;

/** Runs code in a process of its own that sees no Vulkan driver of the system. */
async function run(code: string, env: Record<string, string>) {
  const none = "/nonexistent/driver.json";
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", code],
    env: {
      VK_DRIVER_FILES: none,
      VK_ICD_FILENAMES: none,
      DENO_WEBGPU_BACKEND: "vulkan",
      NO_COLOR: "1",
      ...env,
    },
    signal: AbortSignal.timeout(300_000),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr) };
}

Deno.test({
  name: "ensureAdapter() throws when HATCHLING_ADAPTER is unknown",
  fn: async () => {
    await assert.rejects(ensureAdapter({ adapter: "cuda" as AdapterChoice }), HatchlingError);
  },
});

Deno.test({
  name: "requestAdapter() returns null when no driver is installed",
  ignore: !allowed || !linux,
  fn: async () => {
    const { stdout } = await run("console.log(await navigator.gpu.requestAdapter())", {});
    assert.equal(stdout, "null");
  },
});

Deno.test({
  name: "ensureAdapter() says what to install when only the system's driver may be used",
  ignore: !allowed || !linux,
  fn: async () => {
    const { code, stderr } = await run(PROGRAM, { HATCHLING_ADAPTER: "system" });
    assert.equal(code, 1);
    assert.match(stderr, /^error: Expected a WebGPU adapter but found none\..*apt-get install/);
  },
});

for (const adapter of ["auto", "swiftshader"]) {
  Deno.test({
    name: `ensureAdapter() computes with SwiftShader when no driver is installed (${adapter})`,
    ignore: !swiftShader,
    fn: async () => {
      const cache = await Deno.makeTempDir({ prefix: "hatchling-test-" });
      try {
        // Twice: with an empty cache, and with what the first run left there.
        for (const lines of [2, 1]) {
          const found = await run(PROGRAM, { HATCHLING_ADAPTER: adapter, HATCHLING_CACHE: cache });
          assert.equal(found.code, 0, found.stderr);
          const doubles = Array.from({ length: 16 }, (_, i) => 2 * i).join();
          assert.match(found.stdout, new RegExp(`^SwiftShader.*\\|${doubles}$`));
          assert.match(found.stderr, /Device: SwiftShader.*a CPU/);
          assert.equal(found.stderr.split("\n").length, lines, found.stderr);
        }
      } finally {
        await Deno.remove(cache, { recursive: true });
      }
    },
  });
}
