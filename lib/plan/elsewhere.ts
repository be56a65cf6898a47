/**
 * A GPU that this machine does not have.
 *
 * @module
 */
import type { Gpu } from "../gpu.ts";
import { DryGpu } from "../gpu/dry.ts";

/** What GPUs of today have, where WebGPU's default limits are less. */
const LIMITS: Partial<GPUSupportedLimits> = {
  maxBufferSize: 2 ** 40,
  maxStorageBufferBindingSize: 2 ** 31 - 4,
};

/** A stand-in for a GPU elsewhere, with room for tensors of 2 GiB: steps can be recorded on it, none may run. */
export function gpuElsewhere({ limits }: Gpu): Gpu {
  const roomy = new Proxy(limits, {
    get: (given, name) => Reflect.get(LIMITS, name) ?? Reflect.get(given, name),
  });
  const info = { isFallbackAdapter: false, subgroupMinSize: 0, description: "a GPU elsewhere" };
  const stand = {
    device: { limits: roomy, features: new Set() },
    ...{ info, choices: new Map(), struck: new Set() },
  };
  return new DryGpu(stand as unknown as Gpu);
}
