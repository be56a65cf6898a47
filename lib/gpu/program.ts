/**
 * Programs: a list of dispatches recorded once and replayed with one encoder and one submit.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Dispatch } from "./dispatch.ts";
import { encode, type Encoded, timestamps } from "./encode.ts";
import type { Gpu, Recorder } from "./gpu.ts";
import { checkSync, tensorsIn } from "./outputs.ts";
import { type Lifetime, planMemory } from "./plan.ts";
import { roundUp, sizeOf, type Storage, Tensor } from "./tensor.ts";

/** Cost of all dispatches of one kernel in a program. */
export interface KernelCost {
  /** The kernel's name. */
  name: string;
  /** How often it is dispatched. */
  dispatches: number;
  /** Floating-point operations of one run. */
  flops: number;
  /** Bytes bound, an upper bound of the bytes moved. */
  bytes: number;
}

/** Kernels that a first run meets between two waits. */
const NEW_KERNELS = 4;

/**
 * A recorded program; `outputs` is what the recorded function returned.
 *
 * @category GPU
 */
export class Program<T> {
  /** The tensors that the recorded function returned; they keep their values until the next run. */
  readonly outputs: T;
  /** Bytes of the planned temporaries, outputs included. */
  readonly temporaryBytes: number;
  /** Bytes the temporaries would take without sharing. */
  readonly unplannedBytes: number;
  readonly #gpu: Gpu;
  readonly #dispatches: readonly Dispatch[];
  readonly #encoded: readonly Encoded[];
  readonly #owned: readonly Storage[];
  readonly #params: GPUBuffer;

  /** Use {@linkcode record}. */
  constructor(
    gpu: Gpu,
    outputs: T,
    dispatches: readonly Dispatch[],
    temporaries: readonly Storage[],
    owned: Storage[],
  ) {
    this.#gpu = gpu;
    this.outputs = outputs;
    this.#dispatches = dispatches;
    const { slots, unplanned } = place(gpu, outputs, dispatches, temporaries);
    owned.push(...slots);
    this.#owned = owned;
    this.temporaryBytes = slots.reduce((sum, s) => sum + s.bytes, 0);
    this.unplannedBytes = unplanned;
    const bindings = dispatches.map(({ tensors }) => tensors.map((t) => t.binding()));
    const stride = Math.max(256, gpu.limits.minUniformBufferOffsetAlignment);
    this.#params = packAll(gpu.device, dispatches, stride);
    this.#encoded = dispatches.map(({ pipeline, params, workgroups }, i) => {
      const entries = [
        { buffer: this.#params, offset: i * stride, size: params.byteLength },
        ...bindings[i],
      ];
      const group = gpu.device.createBindGroup({
        label: pipeline.name,
        layout: pipeline.layout,
        entries: entries.map((resource, binding) => ({ binding, resource })),
      });
      return { pipeline: pipeline.pipeline, group, workgroups };
    });
  }

  /** Number of dispatches. */
  get length(): number {
    return this.#encoded.length;
  }

  /** Floating-point operations of one run, as declared by the ops. */
  get flops(): number {
    return this.#dispatches.reduce((sum, d) => sum + d.flops, 0);
  }

  /** Cost by kernel, largest FLOP count first. */
  costs(): KernelCost[] {
    const byName = new Map<string, KernelCost>();
    for (const d of this.#dispatches) {
      const name = d.pipeline.name;
      const row = byName.get(name) ?? { name, dispatches: 0, flops: 0, bytes: 0 };
      row.dispatches++;
      row.flops += d.flops;
      row.bytes += d.tensors.reduce((sum, t) => sum + t.bytes, 0);
      byName.set(name, row);
    }
    return [...byName.values()].sort((a, b) => b.flops - a.flops || b.bytes - a.bytes);
  }

  /** Replays the program: one encoder, one submit, no allocation, no wait. */
  run(): void {
    this.#gpu.flush();
    this.#submit(0, this.#encoded.length);
  }

  #submit(from: number, to: number): void {
    const { device } = this.#gpu;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = from; i < to; i++) encode(pass, this.#encoded[i]);
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  /**
   * As {@linkcode Program.run}, in a few pieces with a wait after each: a driver compiles a kernel when it first
   * runs it, which can take seconds that somebody would like to see pass.
   *
   * @param onProgress Gets the number of kernels that have run, and of all.
   */
  async runFirst(onProgress: (done: number, total: number) => void): Promise<void> {
    const total = new Set(this.#encoded.map(({ pipeline }) => pipeline)).size;
    const met = new Set<GPUComputePipeline>();
    this.#gpu.flush();
    for (let from = 0; from < this.#encoded.length;) {
      const known = met.size;
      let to = from;
      while (to < this.#encoded.length && met.size < known + NEW_KERNELS) {
        met.add(this.#encoded[to++].pipeline);
      }
      this.#submit(from, to);
      from = to;
      await this.#gpu.idle();
      onProgress(met.size, total);
    }
  }

  /**
   * As {@linkcode Program.run}, in pieces of about the same work with a wait after each: while it waits for a
   * slow adapter, the host hears nothing.
   *
   * @param pieces How many, at least 1.
   * @param goOn Asked before every piece; false leaves the rest out.
   * @returns Whether all of it ran.
   */
  async runPieces(pieces: number, goOn: () => boolean): Promise<boolean> {
    this.#gpu.flush();
    const work = this.#dispatches.map(workOf);
    const total = work.reduce((sum, w) => sum + w, 0);
    for (let from = 0, to = 0, done = 0, piece = 1; from < work.length; from = to, piece++) {
      if (!goOn()) return false;
      while (to < work.length && (to === from || done < piece * total / pieces)) done += work[to++];
      this.#submit(from, to);
      await this.#gpu.idle();
    }
    return true;
  }

  /**
   * Runs the program once with a pass per dispatch and returns the milliseconds of each kernel by
   * timestamp, largest first.
   *
   * @throws {HatchlingError} When the adapter has no timestamp queries.
   */
  async profile(): Promise<{ name: string; dispatches: number; ms: number }[]> {
    const { device } = this.#gpu;
    if (!device.features.has("timestamp-query")) {
      throw new HatchlingError(
        "Expected an adapter with timestamp-query for a profile but this one has none",
      );
    }
    const rows = new Map<string, { name: string; dispatches: number; ms: number }>();
    // A query set holds at most 4096 timestamps: two per dispatch.
    for (let from = 0; from < this.#encoded.length; from += 2048) {
      const some = this.#encoded.slice(from, from + 2048);
      const times = await timestamps(this.#gpu, some);
      some.forEach((_, i) => {
        const name = this.#dispatches[from + i].pipeline.name;
        const row = rows.get(name) ?? { name, dispatches: 0, ms: 0 };
        row.dispatches++;
        row.ms += Number(times[2 * i + 1] - times[2 * i]) / 1e6;
        rows.set(name, row);
      });
    }
    return [...rows.values()].sort((a, b) => b.ms - a.ms);
  }

  /** Frees temporaries, outputs and constants. */
  destroy(): void {
    for (const storage of this.#owned) this.#gpu.free(storage);
    this.#params.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}

/**
 * Records what `fn` dispatches, plans the memory of its temporaries, compiles its kernels and builds its
 * bind groups. Tensors that `fn` returns keep their own memory; all other tensors it makes are
 * temporaries, and memory it fills itself (`gpu.tensor`) is freed with the program. `fn` must be
 * synchronous.
 *
 * @example
 * ```ts
 * import { openGpu, record } from "@hatchling/hatchling/gpu";
 * import { matmul } from "@hatchling/hatchling/ops";
 *
 * const gpu = await openGpu();
 * const a = gpu.tensor(new Float32Array([1, 2, 3, 4]), [2, 2]);
 * const program = await record(gpu, () => ({ y: matmul(gpu, matmul(gpu, a, a), a) }));
 * program.run();
 * console.log(await program.outputs.y.read()); // a³
 * program.destroy();
 * a.destroy();
 * gpu.destroy();
 * ```
 *
 * @throws {HatchlingError} When a kernel does not compile, or a recording is already under way.
 *
 * @category GPU
 */
export async function record<T>(gpu: Gpu, fn: () => T): Promise<Program<T>> {
  if (gpu.recorder) throw new HatchlingError("Expected no other recording but one is under way");
  gpu.flush();
  const dispatches: Dispatch[] = [];
  const temporaries: Storage[] = [];
  const owned: Storage[] = [];
  const recorder: Recorder = {
    empty(shape, label) {
      const storage: Storage = { bytes: roundUp(sizeOf(shape) * 4, 16), destroyed: false, label };
      temporaries.push(storage);
      return new Tensor(gpu, shape, storage, 0);
    },
    dispatch: (dispatch) => void dispatches.push(dispatch),
    own: (storage) => void owned.push(storage),
  };
  gpu.recorder = recorder;
  try {
    let outputs: T;
    try {
      outputs = fn();
    } finally {
      gpu.recorder = undefined;
    }
    checkSync("record", outputs);
    await gpu.kernels.check();
    const program = new Program(gpu, outputs, dispatches, temporaries, owned);
    await gpu.idle();
    return program;
  } catch (error) {
    for (const storage of owned) gpu.free(storage);
    throw error;
  }
}

/** Gives every used temporary its slot. */
function place(
  gpu: Gpu,
  outputs: unknown,
  dispatches: readonly Dispatch[],
  temporaries: readonly Storage[],
) {
  const lives = new Map<Storage, Lifetime>();
  const mine = new Set(temporaries);
  dispatches.forEach((d, i) => {
    for (const { storage } of d.tensors) {
      if (!mine.has(storage)) continue;
      const life = lives.get(storage);
      if (life) life.last = i;
      else lives.set(storage, { bytes: storage.bytes, first: i, last: i });
    }
  });
  for (const { storage } of tensorsIn(outputs)) {
    const life = lives.get(storage);
    if (life) [life.first, life.last] = [0, dispatches.length];
  }
  const entries = [...lives];
  const plan = planMemory(entries.map(([, life]) => life));
  const slots = plan.slots.map((bytes, i) => gpu.allocate(bytes, `slot ${i}`));
  entries.forEach(([storage], i) => storage.buffer = slots[plan.assignment[i]].buffer);
  return { slots, unplanned: entries.reduce((sum, [storage]) => sum + storage.bytes, 0) };
}

/** A guess at a dispatch's share of the time: FLOPs, and bytes where it does little else than move them. */
function workOf({ flops, tensors }: Dispatch): number {
  return flops + tensors.reduce((sum, t) => sum + t.bytes, 0);
}

/** All params in one uniform buffer. */
function packAll(
  device: GPUDevice,
  dispatches: readonly Dispatch[],
  stride: number,
): GPUBuffer {
  const size = Math.max(stride, stride * dispatches.length);
  const buffer = device.createBuffer({
    size,
    usage: 0x40,
    mappedAtCreation: true,
    label: "params",
  });
  const bytes = new Uint8Array(buffer.getMappedRange());
  dispatches.forEach((d, i) => bytes.set(d.params, i * stride));
  buffer.unmap();
  return buffer;
}
