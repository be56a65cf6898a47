/**
 * Opening a GPU.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { Gpu } from "./gpu.ts";

/** How to open a GPU. */
export interface OpenGpuOptions {
  /**
   * `"adapter"` (default) asks for all that the adapter offers; `"portable"` forces WebGPU's default
   * limits (128 MiB bindings, 8 storage buffers, 256 invocations), so that anyone can test what a small
   * adapter sees.
   */
  limits?: "adapter" | "portable";
  /** An adapter that you already have. */
  adapter?: GPUAdapter;
}

const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
] as const;

/**
 * Opens the best adapter: a real GPU before a software one.
 *
 * @throws {HatchlingError} When WebGPU has no adapter here.
 *
 * @example
 * ```ts
 * import { openGpu } from "./mod.ts";
 *
 * const gpu = await openGpu({ limits: "portable" });
 * console.log(gpu.info.description, gpu.limits.maxStorageBufferBindingSize);
 * gpu.destroy();
 * ```
 */
export async function openGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  const adapter = options.adapter ??
    await globalThis.navigator?.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new HatchlingError(
      "Expected a WebGPU adapter but found none: install a GPU driver or Vulkan's software driver " +
        "(Debian: apt-get install mesa-vulkan-drivers); the project's own tasks bring a software adapter on linux-x64",
    );
  }
  const requiredLimits: Record<string, number> = {};
  if (options.limits !== "portable") {
    for (const name of LIMITS) requiredLimits[name] = adapter.limits[name];
  }
  const requiredFeatures: GPUFeatureName[] = adapter.features.has("timestamp-query")
    ? ["timestamp-query"]
    : [];
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
  return new Gpu(device, adapter.info);
}
