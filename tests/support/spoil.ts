/** Kernels and drivers that are wrong on purpose. */
import { Gpu, openGpu } from "../../lib/gpu.ts";
import { definedKernels } from "../../lib/gpu/kernel.ts";

/** Runs `fn` while a kernel's text is another one; on a device that has not compiled it yet. */
export async function withSpoiled<T>(
  name: string,
  change: (code: string) => string,
  fn: () => Promise<T>,
): Promise<T> {
  const source = definedKernels().find((kernel) => kernel.name === name) as { code: string };
  const { code } = source;
  source.code = change(code);
  if (source.code === code) throw new Error(`nothing of ${name} was changed`);
  try {
    return await fn();
  } finally {
    source.code = code;
  }
}

/** What a driver stub does wrong. */
export interface Faults {
  /** Whether a dispatch is dropped, by its number. */
  drops?: (dispatch: number) => boolean;
  /** Whether reads give what reads before gave, one after the other, round and round. */
  oldBytes?: () => boolean;
}

/** A GPU behind a driver that does something wrong. */
export async function faultyGpu(
  { drops = () => false, oldBytes = () => false }: Faults,
): Promise<Gpu> {
  const { device, info } = await openGpu();
  let dispatches = 0;
  const wrapped = <T extends object>(target: T, changes: Record<string, unknown>): T =>
    new Proxy(target, {
      get(_, key) {
        if (typeof key === "string" && key in changes) return changes[key];
        const value = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  const pass = (real: GPUComputePassEncoder) =>
    wrapped(real, {
      dispatchWorkgroups: (...groups: [number, number, number]) => {
        if (!drops(dispatches++)) real.dispatchWorkgroups(...groups);
      },
    });
  const encoder = (real: GPUCommandEncoder) =>
    wrapped(real, {
      beginComputePass: (options?: GPUComputePassDescriptor) =>
        pass(real.beginComputePass(options)),
    });
  const gpu = new Gpu(
    wrapped(device, { createCommandEncoder: () => encoder(device.createCommandEncoder()) }),
    info,
  );
  const read = gpu.read.bind(gpu), before: Float32Array<ArrayBuffer>[][] = [];
  let stale = 0;
  gpu.read = async (tensors) => {
    if (oldBytes()) return before[stale++ % before.length];
    const found = await read(tensors);
    before.push(found.map((values) => values.slice()));
    return found;
  };
  return gpu;
}
