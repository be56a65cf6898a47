/** A software adapter that is treated as a GPU. */
import type { Gpu } from "../../lib/gpu.ts";

/** The same device with the fixed profile of GPUs, so that their kernels run on any adapter. */
export function asGpu(gpu: Gpu): Gpu {
  return new Proxy(gpu, {
    get(target, key) {
      if (key === "isSoftware") return false;
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}
