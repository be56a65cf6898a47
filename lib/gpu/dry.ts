/**
 * A GPU that computes nothing and takes no memory: what is recorded on it tells what the real one would need.
 *
 * @module
 */
import { Gpu } from "./gpu.ts";
import type { Storage } from "./tensor.ts";

/** An allocation that a {@linkcode DryGpu} was asked for. */
export interface Allocation {
  /** What it is for. */
  label: string;
  /** Its bytes. */
  bytes: number;
}

/** A stand-in for a GPU, with its limits. Programs can be recorded on it, and tell their cost; none may run. */
export class DryGpu extends Gpu {
  /** Everything that was allocated and not freed since. */
  readonly allocations: Set<Allocation> = new Set();
  readonly #of = new WeakMap<Storage, Allocation>();

  /**
   * A stand-in for a GPU.
   *
   * @example
   * ```ts
   * import { openGpu, record } from "../gpu.ts";
   * import { matmul } from "../ops/matmul.ts";
   * import { DryGpu } from "./dry.ts";
   *
   * const gpu = await openGpu();
   * const dry = new DryGpu(gpu);
   * const a = dry.persistent([1000, 1000]);
   * const program = await record(dry, () => matmul(dry, a, a));
   * console.log(program.flops, dry.memory.liveBytes); // 2e9, 8e6
   * gpu.destroy();
   * ```
   */
  constructor(gpu: Gpu) {
    super(standIn(gpu.device), gpu.info);
    this.choices = gpu.choices;
    this.lanes = gpu.lanes;
    this.struck = gpu.struck;
  }

  /** Notes an allocation; the limit of a buffer holds as for the real one. */
  override allocate(bytes: number, label: string): Storage {
    const storage = super.allocate(bytes, label);
    const allocation = { label, bytes: storage.bytes };
    this.allocations.add(allocation);
    this.#of.set(storage, allocation);
    return storage;
  }

  /** Forgets an allocation. */
  override free(storage: Storage): void {
    super.free(storage);
    this.allocations.delete(this.#of.get(storage)!);
  }
}

/** As much of a device as recording asks for. */
function standIn({ limits, features }: GPUDevice): GPUDevice {
  const nothing = () => {};
  const buffer = ({ size, label }: GPUBufferDescriptor) => ({
    size,
    label,
    destroy: nothing,
    unmap: nothing,
    getMappedRange: () => new ArrayBuffer(size),
  });
  const device = {
    limits,
    features,
    lost: new Promise(nothing),
    queue: {
      submit: nothing,
      writeBuffer: nothing,
      onSubmittedWorkDone: () => Promise.resolve(),
    },
    addEventListener: nothing,
    pushErrorScope: nothing,
    popErrorScope: () => Promise.resolve(null),
    createBuffer: buffer,
    createBindGroup: () => ({}),
    createShaderModule: () => ({}),
    createComputePipeline: () => ({ getBindGroupLayout: () => ({}) }),
    destroy: nothing,
  };
  return device as unknown as GPUDevice;
}
