/**
 * Programs: a list of dispatches recorded once and replayed, in submissions that are kept short.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Dispatch } from "./dispatch.ts";
import { divide, mostParts } from "./divide.ts";
import type { Gpu, Pause, Recorder } from "./gpu.ts";
import { checkSync, tensorsIn } from "./outputs.ts";
import type { Cost, Rate } from "./pace.ts";
import { type Lifetime, planMemory } from "./plan.ts";
import { timestamps } from "./profile.ts";
import type { Encoded } from "./submit_queue.ts";
import { BYTES, roundUp, sizeOf, type Storage, Tensor } from "./tensor.ts";

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

/** Milliseconds of work that are queued before a watched run waits and asks whether to go on. */
const PATIENCE = 2000;
/** Kernels that run for the first time between two of its waits. */
const NEW_KERNELS = 4;

/** Who watches a run of a program. */
export interface Watch {
  /** Asked while it waits; false leaves the rest out. */
  goOn?: () => boolean;
  /** Gets the number of kernels that have run, and of all: a driver may take seconds to compile one. */
  onProgress?: (done: number, total: number) => void;
  /** Dispatches, by their place, that somebody runs himself, when it is their turn. */
  instead?: ReadonlyMap<number, () => void>;
}

/** What was recorded. */
interface Recording {
  /** What runs. */
  dispatches: readonly Dispatch[];
  /** Memory that is to be placed. */
  temporaries: readonly Storage[];
  /** Memory that goes with the program. */
  owned: Storage[];
  /** What the host does in between. */
  pauses: readonly RecordedPause[];
}

/** What the host does before a dispatch. */
interface RecordedPause {
  /** The dispatch's place. */
  at: number;
  /** Does it. */
  run: Pause;
  /** Tensors whose values it wants. */
  reads: readonly Tensor[];
}

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
  /** Those of dispatches that are divided, by their place. */
  readonly #divided = new Map<number, Encoded[]>();
  readonly #owned: readonly Storage[];
  readonly #params: GPUBuffer[] = [];
  /** By the dispatch that they come before; those at the end by the number of dispatches. */
  readonly #pauses = new Map<number, Pause[]>();

  /** Use {@linkcode record}. */
  constructor(
    gpu: Gpu,
    outputs: T,
    { dispatches, temporaries, owned, pauses }: Recording,
  ) {
    this.#gpu = gpu;
    for (const { at, run } of pauses) this.pauseAt(at, run);
    this.outputs = outputs;
    this.#dispatches = dispatches;
    const { slots, unplanned } = place(gpu, outputs, { dispatches, temporaries, pauses });
    owned.push(...slots);
    this.#owned = owned;
    this.temporaryBytes = slots.reduce((sum, s) => sum + s.bytes, 0);
    this.unplannedBytes = unplanned;
    this.#encoded = this.#encode(dispatches, dispatches.map((d) => gpu.pace.costOf(d)));
  }

  /** Bind groups of dispatches, and their uniforms in one buffer. */
  #encode(dispatches: readonly Dispatch[], costs: readonly Cost[]): Encoded[] {
    const { device, limits } = this.#gpu;
    const bindings = dispatches.map(({ tensors }) => tensors.map((t) => t.binding()));
    const stride = Math.max(256, limits.minUniformBufferOffsetAlignment);
    const buffer = packAll(device, dispatches, stride);
    this.#params.push(buffer);
    return dispatches.map(({ pipeline, params, workgroups }, i) => {
      const entries = [{ buffer, offset: i * stride, size: params.byteLength }, ...bindings[i]];
      const group = device.createBindGroup({
        label: pipeline.name,
        layout: pipeline.layout,
        entries: entries.map((resource, binding) => ({ binding, resource })),
      });
      return { pipeline: pipeline.pipeline, group, workgroups, cost: costs[i] };
    });
  }

  /**
   * A dispatch, and what it became.
   * @internal
   */
  part(index: number): { dispatch: Dispatch; encoded: Encoded } {
    return { dispatch: this.#dispatches[index], encoded: this.#encoded[index] };
  }

  /**
   * The place after the last dispatch that touches some memory; 0 where none does.
   * @internal
   */
  lastUse({ storage: { buffer }, offset, bytes }: Tensor): number {
    return 1 +
      this.#dispatches.findLastIndex(({ tensors }) =>
        tensors.some((t) =>
          t.storage.buffer === buffer && t.offset < offset + bytes && offset < t.offset + t.bytes
        )
      );
  }

  /**
   * Milliseconds that the dispatches from one place up to another are expected to take.
   * @internal
   */
  expectedMs(from: number, to: number): number {
    const some = this.#encoded.slice(from, to);
    return some.reduce((sum, { cost }) => sum + this.#gpu.pace.expected(cost), 0);
  }

  /**
   * Has every run wait before a dispatch, or at the end, for what the host does then.
   * @internal
   */
  pauseAt(index: number, pause: Pause): void {
    const all = this.#pauses.get(index);
    if (all) all.push(pause);
    else this.#pauses.set(index, [pause]);
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

  /**
   * Replays the program: as few submissions as may be without one that lasts too long, no allocation, no wait.
   *
   * @throws {HatchlingError} When the host has to do something in between.
   */
  run(): void {
    if (this.#pauses.size) {
      throw new HatchlingError(
        "Expected a program without pauses for run() but found one that waits for the host: use runWatched()",
      );
    }
    this.#gpu.flush();
    for (let i = 0; i < this.#encoded.length; i++) this.#put(i);
    this.#gpu.queue.flush();
  }

  /**
   * As {@linkcode Program.run}, with a wait wherever the device has work for about two seconds, as meanwhile the host
   * hears nothing, and wherever some kernels have run for the first time, whose speed is then known.
   *
   * @returns Whether all of it ran.
   */
  async runWatched({ goOn = () => true, onProgress, instead }: Watch = {}): Promise<boolean> {
    const { pace, queue } = this.#gpu;
    const total = new Set(this.#encoded.map(({ pipeline }) => pipeline)).size;
    const met = new Set<GPUComputePipeline>(), unknown = new Set<Rate>();
    this.#gpu.flush();
    if (!goOn()) return false;
    for (let i = 0; i < this.#encoded.length; i++) {
      await this.#pause(i);
      const { cost: { rate }, pipeline } = this.#encoded[i];
      if (pace.queued > PATIENCE || (unknown.size >= NEW_KERNELS && !unknown.has(rate))) {
        await this.#gpu.idle();
        onProgress?.(met.size, total);
        unknown.clear();
        if (!goOn()) return false;
      }
      met.add(pipeline);
      if (!rate.known) unknown.add(rate);
      const other = instead?.get(i);
      if (other) other();
      else this.#put(i);
    }
    queue.flush();
    await this.#pause(this.#encoded.length);
    if (unknown.size || onProgress) await this.#gpu.idle();
    onProgress?.(met.size, total);
    return true;
  }

  async #pause(index: number): Promise<void> {
    for (const pause of this.#pauses.get(index) ?? []) {
      this.#gpu.queue.flush();
      await pause();
    }
  }

  /** Adds a dispatch to the queue, in parts where it would last too long. */
  #put(i: number): void {
    const { pace, queue } = this.#gpu;
    const encoded = this.#encoded[i];
    if (pace.expected(encoded.cost) <= pace.maxMs) return queue.put(encoded);
    for (const part of this.#divide(i)) queue.put(part);
  }

  #divide(i: number): readonly Encoded[] {
    const { kernels, pace } = this.#gpu;
    const whole = this.#encoded[i], dispatch = this.#dispatches[i], most = mostParts(dispatch);
    const count = Math.min(most, pace.parts(dispatch, whole.cost, most));
    if (count < 2) return [whole];
    let found = this.#divided.get(i);
    // Fewer parts will do where more are there.
    if (!found || found.length < count) {
      const parts = divide(kernels, dispatch, count);
      const cost = pace.costOf(dispatch, 1 / parts.length);
      this.#divided.set(i, found = this.#encode(parts, parts.map(() => cost)));
    }
    return found;
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
    for (const buffer of this.#params) buffer.destroy();
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
  const pauses: RecordedPause[] = [];
  const recorder: Recorder = {
    empty(shape, label, dtype) {
      const bytes = roundUp(sizeOf(shape) * BYTES[dtype], 16);
      const storage: Storage = { bytes, destroyed: false, label };
      temporaries.push(storage);
      return new Tensor(gpu, shape, storage, 0, dtype);
    },
    dispatch: (dispatch) => void dispatches.push(dispatch),
    own: (storage) => void owned.push(storage),
    pause: (run, reads) => void pauses.push({ at: dispatches.length, run, reads }),
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
    const program = new Program(gpu, outputs, { dispatches, temporaries, owned, pauses });
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
  { dispatches, temporaries, pauses }: Omit<Recording, "owned">,
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
  for (const { at, reads } of pauses) {
    for (const { storage } of reads) {
      const life = lives.get(storage);
      if (life) life.last = Math.max(life.last, at);
    }
  }
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
