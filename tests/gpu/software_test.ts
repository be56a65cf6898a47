/** Which adapters count as software, and what an odd adapter is asked for. */
import assert from "node:assert/strict";
import { openGpu } from "../../lib/gpu.ts";
import { isSoftwareAdapter } from "../../lib/gpu/software.ts";

Deno.test("an adapter is software by what it says, or by its name where it says nothing", () => {
  for (
    const info of [
      { isFallbackAdapter: true },
      {
        vendor: "google",
        architecture: "swiftshader",
        description: "SwiftShader Device (LLVM 10)",
      },
      { description: "llvmpipe (LLVM 15.0.6, 256 bits)", isFallbackAdapter: false },
      { vendor: "microsoft", architecture: "warp" },
      { device: "Microsoft Basic Render Driver" },
    ]
  ) assert(isSoftwareAdapter(info), JSON.stringify(info));
  for (
    const info of [
      {},
      { vendor: "nvidia", architecture: "hopper", description: "NVIDIA H200" },
      { vendor: "apple", architecture: "common-3", isFallbackAdapter: false },
      { description: "AMD Warped Drive" },
    ]
  ) assert(!isSoftwareAdapter(info), JSON.stringify(info));
});

Deno.test("an adapter is asked only for limits that it tells", async () => {
  let asked: Record<string, number> = {};
  const device = {
    features: new Set(),
    limits: {},
    lost: new Promise(() => {}),
    addEventListener() {},
    destroy() {},
  };
  const adapter = {
    info: { vendor: "odd" },
    features: new Set(),
    limits: { maxBufferSize: 2 ** 30, maxStorageBuffersPerShaderStage: 0 },
    requestDevice({ requiredLimits }: { requiredLimits: Record<string, number> }) {
      asked = requiredLimits;
      return Promise.resolve(device);
    },
  };
  await openGpu({ adapter: adapter as unknown as GPUAdapter });
  assert.deepEqual(asked, { maxBufferSize: 2 ** 30 });
});

Deno.test("an adapter that computes nothing is none, unless it is asked for", async () => {
  const given = Object.getOwnPropertyDescriptor(Navigator.prototype, "gpu")!;
  const asked = new Error("asked for a device");
  const adapter = {
    info: { device: "null-backend" },
    limits: {},
    features: new Set(),
    requestDevice: () => Promise.reject(asked),
  } as unknown as GPUAdapter;
  const gpu = { requestAdapter: () => Promise.resolve(adapter) };
  Object.defineProperty(Navigator.prototype, "gpu", { configurable: true, get: () => gpu });
  try {
    await assert.rejects(openGpu(), /Expected a WebGPU adapter but found none/);
    await assert.rejects(openGpu({ adapter }), asked);
    Object.defineProperty(Navigator.prototype, "gpu", { configurable: true, get: () => undefined });
    await assert.rejects(openGpu(), /Expected WebGPU \(navigator\.gpu\).*hatchling\/node/);
  } finally {
    Object.defineProperty(Navigator.prototype, "gpu", given);
  }
});
