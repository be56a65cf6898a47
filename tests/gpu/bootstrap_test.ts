import assert from "node:assert/strict";
import { type AdapterChoice, ensureAdapter } from "../../lib/adapter.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { folderTest, permissionTest } from "../support/permissions.ts";
import { HANG_MS } from "../support/hang.ts";

/** Doubles 0 … 15 on whatever adapter the bootstrap gives. */
const PROGRAM = `
  await import(${JSON.stringify(new URL("../../scripts/common/adapter.ts", import.meta.url).href)});
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
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr) };
}

Deno.test("ensureAdapter() throws when HATCHLING_ADAPTER is unknown", async () => {
  await assert.rejects(ensureAdapter({ adapter: "cuda" as AdapterChoice }), HatchlingError);
});

// Elsewhere, no variable hides the driver of the system.
if (Deno.build.os === "linux") {
  permissionTest(["run"], "requestAdapter() returns null when no driver is installed", async () => {
    const { stdout } = await run("console.log(await navigator.gpu.requestAdapter())", {});
    assert.equal(stdout, "null");
  });

  permissionTest(
    ["run"],
    "ensureAdapter() says what to install when only the system's driver may be used",
    async () => {
      const { code, stderr } = await run(PROGRAM, { HATCHLING_ADAPTER: "system" });
      assert.equal(code, 1);
      assert.match(stderr, /^error: Expected a WebGPU adapter but found none\..*apt-get install/);
    },
  );

  permissionTest(
    ["run"],
    "ensureAdapter() gives Mesa's driver two threads per core, unless the user says how many",
    async () => {
      const adapter = new URL("../../lib/adapter.ts", import.meta.url).href;
      const program = `const { ensureAdapter } = await import(${JSON.stringify(adapter)});
        await ensureAdapter({ adapter: "system" }).catch(() => {});
        console.log(Deno.env.get("LP_NUM_THREADS") / navigator.hardwareConcurrency);`;
      const found = async (set: string) =>
        Number((await run(program, { LP_NUM_THREADS: set })).stdout);
      assert.equal(await found(""), 2);
      assert.equal(await found("3"), 3 / navigator.hardwareConcurrency);
    },
  );
}

// SwiftShader is there for nothing else. Its package (70 MB) is downloaded once, also where a GPU is.
if (Deno.build.os === "linux" && Deno.build.arch === "x86_64") {
  for (const adapter of ["auto", "swiftshader"]) {
    folderTest(
      `ensureAdapter() computes with SwiftShader when no driver is installed (${adapter})`,
      async (cache) => {
        // Twice: with an empty cache, and with what the first run left there.
        for (const lines of [2, 1]) {
          const found = await run(PROGRAM, { HATCHLING_ADAPTER: adapter, HATCHLING_CACHE: cache });
          assert.equal(found.code, 0, found.stderr);
          const doubles = Array.from({ length: 16 }, (_, i) => 2 * i).join();
          assert.match(found.stdout, new RegExp(`^SwiftShader.*\\|${doubles}$`));
          assert.match(found.stderr, /Device: SwiftShader.*a CPU/);
          assert.equal(found.stderr.split("\n").length, lines, found.stderr);
        }
      },
      ["run"],
    );
  }
}
