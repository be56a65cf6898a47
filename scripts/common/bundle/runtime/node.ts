/**
 * WebGPU for Node and Bun: importing it sets `navigator.gpu` and WebGPU's constants, by npm `webgpu` (Dawn), else in
 * Bun by `bun-webgpu`. Where there is WebGPU already, it does nothing.
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
export {};

const found = globalThis.navigator ?? {};

if (!("gpu" in found)) {
  const flags = globalThis.process?.env.HATCHLING_DAWN?.split(/\s+/).filter(Boolean) ?? [];
  const gpu = await dawn(flags) ?? await bun();
  if (!gpu) {
    throw new Error(
      "Expected npm webgpu beside @hatchling/hatchling but found none that works: npm install webgpu" +
        " (in Bun also: bun add bun-webgpu)",
    );
  }
  // Node has a navigator from 21 on.
  if (!globalThis.navigator) {
    const { arch, platform, version } = process;
    const { availableParallelism } = process.getBuiltinModule("node:os");
    Object.defineProperty(globalThis, "navigator", {
      configurable: true,
      value: {
        userAgent: `Node.js/${version.slice(1)}`,
        platform: `${platform} ${arch}`,
        hardwareConcurrency: availableParallelism(),
      },
    });
  }
  Object.defineProperty(globalThis.navigator, "gpu", { configurable: true, value: gpu });
}

async function dawn(flags: string[]): Promise<GPU | undefined> {
  const name: string = "webgpu"; // not a literal: it need not be there
  const module = await import(name).catch(() => undefined);
  if (!module) return;
  Object.assign(globalThis, module.globals);
  return module.create(flags);
}

async function bun(): Promise<GPU | undefined> {
  if (!("Bun" in globalThis)) return;
  const name: string = "bun-webgpu";
  const module = await import(name).catch(() => undefined);
  if (!module) return;
  module.setupGlobals();
  return globalThis.navigator.gpu;
}
