/**
 * Opening a GPU.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { Gpu } from "./gpu.ts";
import { MAX_SUBMIT_MS } from "./pace.ts";

/**
 * How to open a GPU.
 *
 * @category GPU
 */
export interface OpenGpuOptions {
  /**
   * `"adapter"` (default) asks for all that the adapter offers; `"portable"` forces WebGPU's default
   * limits (128 MiB bindings, 8 storage buffers, 256 invocations) and no optional feature, so that anyone
   * can test what a small adapter sees.
   */
  limits?: "adapter" | "portable";
  /** An adapter that you already have. */
  adapter?: GPUAdapter;
  /**
   * Milliseconds that a submission should last at most, 100 by default: a longer one makes the screen stand still,
   * and after some seconds the driver ends it.
   */
  maxSubmitMs?: number;
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

const SUBGROUPS = "subgroups" as GPUFeatureName;

/**
 * Opens the best adapter: a real GPU before a software one.
 *
 * @throws {HatchlingError} When WebGPU has no adapter here.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu({ limits: "portable" });
 * console.log(gpu.info.description, gpu.limits.maxStorageBufferBindingSize);
 * gpu.destroy();
 * ```
 *
 * @category GPU
 */
export async function openGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  const gpu = await open(options);
  gpu.pace.maxMs = options.maxSubmitMs ?? MAX_SUBMIT_MS;
  return gpu;
}

async function open(options: OpenGpuOptions): Promise<Gpu> {
  const { gpu } = globalThis.navigator ?? {};
  let adapter = options.adapter ??
    await gpu?.requestAdapter({ powerPreference: "high-performance" });
  // Without a driver Dawn gives an adapter that computes nothing.
  if (!options.adapter && adapter?.info.device === "null-backend") adapter = null;
  if (!adapter && !gpu) {
    throw new HatchlingError(
      "Expected WebGPU (navigator.gpu) but this program has none: in Node and Bun, npm install webgpu and " +
        'import "@hatchling/hatchling/node" first; in a browser, take a current one, and an address of https',
    );
  }
  if (!adapter) {
    throw new HatchlingError(
      "Expected a WebGPU adapter but found none: install a GPU driver or Vulkan's software driver " +
        "(Debian: apt-get install mesa-vulkan-drivers, of which Dawn, in Node and Bun, refuses Mesa 22: " +
        "docs/guides/packages.md); the project's own tasks bring a software adapter on linux-x64",
    );
  }
  // Some adapters (Dawn for Node) tell 0 of limits that they do not know, and refuse to be asked for it.
  const told = LIMITS.filter((name) => adapter.limits[name] > 0);
  const requiredLimits = Object.fromEntries(told.map((name) => [name, adapter.limits[name]]));
  if (options.limits === "portable") return new Gpu(await adapter.requestDevice(), adapter.info);
  const features: GPUFeatureName[] = [];
  if (adapter.features.has("timestamp-query")) features.push("timestamp-query");
  // Halves go to and from the host as Float16Array, which Node has from 24 on.
  if (adapter.features.has("shader-f16") && "Float16Array" in globalThis) {
    features.push("shader-f16");
  }
  const request = (requiredFeatures: GPUFeatureName[]) =>
    adapter.requestDevice({ requiredLimits, requiredFeatures });
  // Deno grants subgroups where the adapter has them, but does not list them among its features.
  const listed = adapter.features.has(SUBGROUPS);
  const device = await request([...features, SUBGROUPS]).catch((error) => {
    if (listed) throw error;
    return request(features);
  });
  return new Gpu(device, adapter.info, listed);
}
