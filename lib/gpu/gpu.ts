/**
 * The GPU: owner of device, memory, kernels, and of the eager queue; the same ops go into a recording
 * while one is under way.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { Allocator, tensorBuffer } from "./allocator.ts";
import {
  checkDispatch,
  type Dispatch,
  type DispatchOptions,
  packParams,
  tensorsOf,
} from "./dispatch.ts";
import { EagerQueue } from "./eager.ts";
import { KernelCache, type KernelSource } from "./kernel.ts";
import type { Memory } from "./memory.ts";
import { Pace } from "./pace.ts";
import { Readback } from "./readback.ts";
import type { Recorder } from "./recorder.ts";
import { Reports } from "./reports.ts";
import { isSoftwareAdapter } from "./software.ts";
import { Stopwatch } from "./stopwatch.ts";
import { SubmitQueue } from "./submit_queue.ts";
import {
  BYTES,
  type DType,
  sizeOf,
  type Storage,
  Tensor,
  type TensorData,
  toHalves,
} from "./tensor.ts";

/**
 * An open GPU. Get one from {@linkcode openGpu}.
 *
 * @category GPU
 */
export class Gpu {
  /** The WebGPU device. */
  readonly device: GPUDevice;
  /** Who made the adapter and what it is called. */
  readonly info: GPUAdapterInfo;
  /** Live-bytes counter of all tensors. */
  readonly memory: Memory;
  /**
   * Compiled kernels.
   * @internal
   */
  readonly kernels: KernelCache;
  /** Lanes per row of row-wise kernels, a divisor of 64; undefined leaves the choice to the adapter. */
  lanes: number | undefined;
  /** Which of several kernels to take, by kind of work; what is not there follows the kind of adapter. */
  choices: ReadonlyMap<string, string> = new Map();
  /**
   * How long submissions last, and may last.
   * @internal
   */
  readonly pace: Pace = new Pace();
  /**
   * The way to the device.
   * @internal
   */
  readonly queue: SubmitQueue;
  /**
   * Tells how long submissions took.
   * @internal
   */
  readonly stopwatch: Stopwatch;
  /**
   * Ways that were found to compute wrong on this machine, as kind and name ("matmul staged 64x64", "rows 8"): never
   * chosen, whatever {@linkcode Gpu.choices} says.
   */
  struck: ReadonlySet<string> = new Set();
  /**
   * Set while a program is being recorded.
   * @internal
   */
  recorder: Recorder | undefined;
  readonly #allocator: Allocator;
  readonly #eager: EagerQueue;
  readonly #readback: Readback;
  readonly #reports: Reports;
  #dummies: Tensor[] = [];

  /** Wraps a device; {@linkcode openGpu} is the usual way. */
  constructor(device: GPUDevice, info: GPUAdapterInfo, subgroupDirective = false) {
    this.device = device;
    this.info = info;
    this.kernels = new KernelCache(device, subgroupDirective);
    this.stopwatch = new Stopwatch(device);
    this.queue = new SubmitQueue(device, this.pace, this.stopwatch);
    this.#eager = new EagerQueue(device, this.kernels, this.pace, this.queue);
    this.#allocator = new Allocator(device, () => this.#eager.flush());
    this.memory = this.#allocator.memory;
    this.#readback = new Readback(this, () => this.#settle());
    this.#reports = new Reports(device, this);
  }

  /** The device's limits. */
  get limits(): GPUSupportedLimits {
    return this.device.limits;
  }

  /** Bytes to which views must be aligned: 256 satisfies every conforming adapter. */
  get alignment(): number {
    return Math.max(256, this.limits.minStorageBufferOffsetAlignment);
  }

  /** True when a CPU plays the GPU. */
  get isSoftware(): boolean {
    return isSoftwareAdapter(this.info);
  }

  /** Invocations that a subgroup has at least; 0 where kernels cannot use subgroups. */
  get subgroupSize(): number {
    const has = this.device.features.has("subgroups" as GPUFeatureName);
    return has ? this.info.subgroupMinSize : 0;
  }

  /** Whether a way of doing a kind of work is not struck off. */
  allows(kind: string, way: string | number): boolean {
    return !this.struck.has(`${kind} ${way}`);
  }

  /** Throws the first error that the device has reported since the last check; its loss every time. */
  check(): void {
    this.#reports.check();
  }

  /** Whether tensors may hold halves here: kernels then read and write them, and compute in f32. */
  get hasHalves(): boolean {
    return this.device.features.has("shader-f16");
  }

  /** Uninitialised tensor, of f32 by default; while recording, a temporary of the program. */
  empty(shape: readonly number[], label = "tensor", dtype: DType = "f32"): Tensor {
    if (!this.recorder) return this.persistent(shape, label, dtype);
    this.#checkType(dtype, label);
    return this.recorder.empty(shape, label, dtype);
  }

  #checkType(dtype: DType, label: string): void {
    if (dtype === "f32" || this.hasHalves) return;
    throw new HatchlingError(
      `Expected an adapter with shader-f16 for ${label}, a tensor of f16, but ${this.info.description} ` +
        "has none or it was not asked for: use f32",
    );
  }

  /**
   * Zero-filled tensor, of f32 by default, that lives until destroyed, also while recording.
   *
   * @throws {HatchlingError} When a dimension is not whole and positive, or the device has no halves and they are asked for.
   */
  persistent(shape: readonly number[], label = "tensor", dtype: DType = "f32"): Tensor {
    this.#checkType(dtype, label);
    for (const n of shape) {
      if (!Number.isInteger(n) || n < 1) {
        throw new HatchlingError(
          `Expected positive whole dimensions but found [${shape.join(", ")}] for ${label}`,
        );
      }
    }
    const storage = this.allocate(sizeOf(shape) * BYTES[dtype], label);
    return new Tensor(this, shape, storage, 0, dtype);
  }

  /**
   * Zero-filled memory of at least `bytes`.
   * @internal
   */
  allocate(bytes: number, label: string): Storage {
    this.check();
    return this.#allocator.allocate(bytes, label, this.recorder);
  }

  /** Uploads a typed array as a new tensor, of f32 by default. */
  tensor(
    data: TensorData,
    shape: readonly number[] = [data.length],
    label = "tensor",
    dtype: DType = "f32",
  ): Tensor {
    const t = this.persistent(shape, label, dtype);
    t.write(data);
    return t;
  }

  /**
   * Frees a storage; not while recording, where a program still uses it.
   * @internal
   */
  free(storage: Storage): void {
    this.#allocator.free(storage);
  }

  /** Queues an upload before everything dispatched later. */
  upload(tensor: Tensor, data: TensorData): void {
    const bytes = tensor.dtype === "f16" ? toHalves(data, tensor) : data;
    this.#eager.flush();
    const { buffer, offset } = tensor.binding();
    this.device.queue.writeBuffer(
      buffer,
      offset!,
      bytes.buffer as ArrayBuffer,
      bytes.byteOffset,
      bytes.byteLength,
    );
  }

  /** A 16-byte tensor to bind where a variant does not use a binding; `index` keeps them apart. */
  #unused(index: number): Tensor {
    while (this.#dummies.length <= index) {
      const buffer = tensorBuffer(this.device, 16, "unused");
      const storage: Storage = { buffer, bytes: 16, destroyed: false, label: "unused" };
      this.#dummies.push(new Tensor(this, [4], storage, 0));
    }
    return this.#dummies[index];
  }

  /** Runs a kernel now, or records it. */
  dispatch(source: KernelSource, options: DispatchOptions): void {
    const tensors = tensorsOf(source, options.bindings, (index) => this.#unused(index));
    checkDispatch(source, tensors, options, this.limits);
    const [x, y = 1, z = 1] = options.workgroups;
    const halves = source.bindings.flatMap(({ name }, i) =>
      tensors[i].dtype === "f16" ? [name] : []
    );
    const dispatch: Dispatch = {
      pipeline: this.kernels.get(source, options.constants, halves),
      tensors,
      params: packParams(source, options.params),
      workgroups: [x, y, z],
      flops: options.flops ?? 0,
    };
    if (this.recorder) this.recorder.dispatch(dispatch);
    else this.#eager.dispatch(dispatch);
  }

  /** Submits what eager ops have queued. */
  flush(): void {
    this.#eager.flush();
    this.check();
  }

  /** Downloads several tensors, as f32, with one wait. */
  async read(tensors: readonly Tensor[]): Promise<Float32Array[]> {
    return await (await this.readSoon(tensors)).values;
  }

  /**
   * As {@linkcode Gpu.read} in two parts: it resolves when the values have been copied, and the device may be given more
   * work while they come to the host.
   * @internal
   */
  readSoon(tensors: readonly Tensor[]): Promise<{ values: Promise<Float32Array[]> }> {
    return this.#readback.read(tensors);
  }

  /**
   * Runs `fn` and frees every tensor made inside, but for those it returns (in arrays, maps or plain
   * objects as well). For eager use: a forward and backward pass leaves nothing behind.
   */
  scope<T>(fn: () => T): T {
    return this.#allocator.scope(fn, (storage) => this.free(storage));
  }

  /** Runs `fn` as if no scope and no recording were under way: what it allocates lives until destroyed. */
  detached<T>(fn: () => T): T {
    const { recorder } = this;
    this.recorder = undefined;
    try {
      return this.#allocator.unscoped(fn);
    } finally {
      this.recorder = recorder;
    }
  }

  /** Resolves when everything submitted has run, with outstanding errors thrown. */
  async idle(): Promise<void> {
    this.check();
    await this.#readback.wait();
  }

  /** Submits what eager ops have queued, and throws the errors of kernels rather than those that follow from them. */
  async #settle(): Promise<void> {
    this.#eager.flush();
    try {
      await this.kernels.check();
    } catch (error) {
      await this.device.queue.onSubmittedWorkDone(); // by when the errors that follow are known
      this.#reports.forget();
      throw error;
    }
  }

  /** Frees the device and all its memory. */
  destroy(): void {
    this.#reports.close();
    this.#readback.destroy();
    this.stopwatch.destroy();
    this.device.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}

/**
 * The GPU that holds a tensor.
 *
 * @throws {HatchlingError} When something else holds it.
 */
export function gpuOf({ gpu }: Tensor): Gpu {
  if (gpu instanceof Gpu) return gpu;
  throw new HatchlingError("Expected a tensor of a Gpu but something else holds it");
}
