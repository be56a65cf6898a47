/** Tests that need a GPU: one device per test file, live bytes back to 0 after each test. */
import assert from "node:assert/strict";
import { type Gpu, openGpu } from "../../lib/gpu.ts";
import { lacks, testUnless } from "./permissions.ts";

const adapter = await globalThis.navigator?.gpu?.requestAdapter({
  powerPreference: "high-performance",
});
let shared: Promise<Gpu> | undefined;

/** True when GPU tests run. */
export const hasAdapter: boolean = !!adapter;

/** Why tests that need an adapter cannot run here; "" when they can. */
export const lacksAdapter: string = adapter ? "" : "no WebGPU adapter here";

/** Runs `fn` as a GPU would run it: ops choose its kernels and launches, whatever adapter is here. */
export async function asGpu<T>(gpu: Gpu, fn: () => T | Promise<T>): Promise<T> {
  Object.defineProperty(gpu, "isSoftware", { value: false, configurable: true });
  try {
    return await fn();
  } finally {
    Reflect.deleteProperty(gpu, "isSoftware");
  }
}

/** Why tests of halves cannot run here; "" when they can. */
export const lacksHalves: string = adapter?.features.has("shader-f16")
  ? ""
  : "no adapter with shader-f16 here";

/** A test with a GPU whose tensors may hold halves. */
export function halvesTest(name: string, fn: (gpu: Gpu) => void | Promise<void>): void {
  gpuTest(name, fn, [], lacksHalves);
}

/** A test with a GPU, and perhaps permissions; not run where something `lacks`. */
export function gpuTest(
  name: string,
  fn: (gpu: Gpu) => void | Promise<void>,
  permissions: readonly Deno.PermissionName[] = [],
  lacking = "",
): void {
  const body = async () => {
    const gpu = await (shared ??= openGpu());
    const before = gpu.memory.liveBytes;
    await fn(gpu);
    await gpu.idle();
    assert.equal(gpu.memory.liveBytes, before, "the test leaked GPU memory");
  };
  const sanitize = { sanitizeResources: false, sanitizeOps: false };
  testUnless([lacksAdapter, lacking, lacks(...permissions)], name, body, sanitize);
}
