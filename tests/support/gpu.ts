/** Tests that need a GPU: one device per test file, live bytes back to 0 after each test. */
import assert from "node:assert/strict";
import { type Gpu, openGpu } from "../../lib/gpu/mod.ts";

const adapter = await globalThis.navigator?.gpu?.requestAdapter({
  powerPreference: "high-performance",
});
let shared: Promise<Gpu> | undefined;

/** True when GPU tests run. */
export const hasAdapter: boolean = !!adapter;

/** A test with a GPU; listed as ignored, with the reason in its name, where there is no adapter. */
export function gpuTest(name: string, fn: (gpu: Gpu) => void | Promise<void>): void {
  Deno.test({
    name: hasAdapter ? name : `${name} (ignored: no WebGPU adapter here)`,
    ignore: !hasAdapter,
    sanitizeResources: false,
    sanitizeOps: false,
    fn: async () => {
      const gpu = await (shared ??= openGpu());
      const before = gpu.memory.liveBytes;
      await fn(gpu);
      await gpu.idle();
      assert.equal(gpu.memory.liveBytes, before, "the test leaked GPU memory");
    },
  });
}
