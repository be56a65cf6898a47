/**
 * WebGPU for Node and Bun: importing it sets `navigator.gpu` and WebGPU's constants, by npm `webgpu` (Dawn), else in
 * Bun by `bun-webgpu`. Where there is WebGPU already, as in Deno and in pages, it does nothing.
 *
 * `HATCHLING_DAWN` holds flags for Dawn, with spaces between: `backend=vulkan`.
 *
 * @example
 * ```ts ignore
 * import "@hatchling/hatchling/node";
 * import { load } from "@hatchling/hatchling/load";
 *
 * using model = await load("runs/a");
 * ```
 *
 * @module
 */
import { HatchlingError } from "./errors.ts";
import { builtin } from "./io/builtin.ts";

type Process = typeof import("node:process");

if (!("gpu" in (globalThis.navigator ?? {}))) {
  const process = builtin<Process>("node:process");
  const flags = process?.env.HATCHLING_DAWN?.split(/\s+/).filter(Boolean) ?? [];
  const gpu = await dawn(flags) ?? await bun();
  if (!gpu) {
    throw new HatchlingError(
      "Expected npm webgpu beside @hatchling/hatchling but found none that works: npm install webgpu " +
        "(in Bun also: bun add bun-webgpu)",
    );
  }
  if (!globalThis.navigator) define(globalThis, "navigator", navigatorOf(process!)); // Node has one from 21 on
  define(globalThis.navigator, "gpu", gpu);
}

function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { configurable: true, value });
}

/** What the library asks of a navigator. */
function navigatorOf({ arch, platform, version }: Process) {
  const { availableParallelism } = builtin<typeof import("node:os")>("node:os")!;
  return {
    userAgent: `Node.js/${version.slice(1)}`,
    platform: `${platform} ${arch}`,
    hardwareConcurrency: availableParallelism(),
  };
}

/** By npm `webgpu`, where it lies beside. */
async function dawn(flags: string[]): Promise<GPU | undefined> {
  const name: string = "webgpu"; // not a literal: it need not be there
  const module = await import(name).catch(() => undefined);
  if (!module) return;
  Object.assign(globalThis, module.globals);
  return module.create(flags);
}

/** By npm `bun-webgpu`, in Bun. */
async function bun(): Promise<GPU | undefined> {
  if (!("Bun" in globalThis)) return;
  const name: string = "bun-webgpu";
  const module = await import(name).catch(() => undefined);
  if (!module) return;
  module.setupGlobals();
  const { gpu } = globalThis.navigator;
  const ask = gpu.requestAdapter.bind(gpu);
  define(gpu, "requestAdapter", async (options?: GPURequestAdapterOptions) => {
    const adapter = await ask(options);
    if (adapter) askForZeros(adapter);
    return adapter;
  });
  return gpu;
}

/**
 * Where a device is asked for with limits, `bun-webgpu` 0.1 asks for the usual values of the others as well, and then
 * refuses them where the adapter has 0 of something; so that 0 is asked for, too.
 */
function askForZeros(adapter: GPUAdapter): void {
  const request = adapter.requestDevice.bind(adapter);
  const zeros: Record<string, number> = {};
  for (const name in adapter.limits) {
    if (adapter.limits[name as keyof GPUSupportedLimits] === 0) zeros[name] = 0;
  }
  define(adapter, "requestDevice", (descriptor: GPUDeviceDescriptor = {}) => {
    const { requiredLimits } = descriptor;
    return request(
      requiredLimits
        ? { ...descriptor, requiredLimits: { ...zeros, ...requiredLimits } }
        : descriptor,
    );
  });
}
