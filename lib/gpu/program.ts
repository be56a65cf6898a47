/**
 * Programs: a list of dispatches recorded once and replayed, in submissions that are kept short.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { Commands } from "./commands.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Gpu } from "./gpu.ts";
import { checkSync } from "./outputs.ts";
import type { Rate } from "./pace.ts";
import { type Lifetime, planMemory } from "./plan.ts";
import { costsOf, type KernelCost, timesOf } from "./profile.ts";
import type { Pause } from "./recorder.ts";
import { Recording } from "./recording.ts";
import type { Encoded } from "./submit_queue.ts";
import type { Storage, Tensor } from "./tensor.ts";

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
  readonly #commands: Commands;
  readonly #owned: readonly Storage[];
  /** By the dispatch that they come before; those at the end by the number of dispatches. */
  readonly #pauses = new Map<number, Pause[]>();

  /** Use {@linkcode record}. */
  constructor(gpu: Gpu, outputs: T, recording: Recording) {
    const { dispatches, owned, pauses } = recording;
    this.#gpu = gpu;
    for (const { at, run } of pauses) this.pauseAt(at, run);
    this.outputs = outputs;
    this.#dispatches = dispatches;
    const lifetimes = recording.lifetimes(outputs);
    const slots = place(gpu, lifetimes);
    owned.push(...slots);
    this.#owned = owned;
    this.temporaryBytes = slots.reduce((sum, s) => sum + s.bytes, 0);
    this.unplannedBytes = [...lifetimes.keys()].reduce((sum, s) => sum + s.bytes, 0);
    this.#commands = new Commands(gpu, dispatches);
  }

  /**
   * A dispatch, and what it became.
   * @internal
   */
  part(index: number): { dispatch: Dispatch; encoded: Encoded } {
    return { dispatch: this.#dispatches[index], encoded: this.#commands.encoded[index] };
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
    const some = this.#commands.encoded.slice(from, to);
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
    return this.#dispatches.length;
  }

  /** Floating-point operations of one run, as declared by the ops. */
  get flops(): number {
    return this.#dispatches.reduce((sum, d) => sum + d.flops, 0);
  }

  /** Cost by kernel, largest FLOP count first. */
  costs(): KernelCost[] {
    return costsOf(this.#dispatches);
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
    for (let i = 0, commands = this.#commands; i < commands.encoded.length; i++) commands.put(i);
    this.#gpu.queue.flush();
  }

  /**
   * As {@linkcode Program.run}, with a wait wherever the device has work for about two seconds, as meanwhile the host
   * hears nothing, and wherever some kernels have run for the first time, whose speed is then known.
   *
   * @returns Whether all of it ran.
   */
  async runWatched({ goOn = () => true, onProgress, instead }: Watch = {}): Promise<boolean> {
    const { pace, queue } = this.#gpu, commands = this.#commands, { encoded } = commands;
    const total = new Set(encoded.map(({ pipeline }) => pipeline)).size;
    const met = new Set<GPUComputePipeline>(), unknown = new Set<Rate>();
    this.#gpu.flush();
    if (!goOn()) return false;
    for (let i = 0; i < encoded.length; i++) {
      await this.#pause(i);
      const { cost: { rate }, pipeline } = encoded[i];
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
      else commands.put(i);
    }
    queue.flush();
    await this.#pause(encoded.length);
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

  /**
   * Runs the program once with a pass per dispatch and returns the milliseconds of each kernel by
   * timestamp, largest first.
   *
   * @throws {HatchlingError} When the adapter has no timestamp queries.
   */
  async profile(): Promise<{ name: string; dispatches: number; ms: number }[]> {
    return await timesOf(this.#gpu, this.#dispatches, this.#commands.encoded);
  }

  /** Frees temporaries, outputs and constants. */
  destroy(): void {
    for (const storage of this.#owned) this.#gpu.free(storage);
    this.#commands.destroy();
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
  const recording = new Recording(gpu);
  gpu.recorder = recording;
  try {
    let outputs: T;
    try {
      outputs = fn();
    } finally {
      gpu.recorder = undefined;
    }
    checkSync("record", outputs);
    await gpu.kernels.check();
    const program = new Program(gpu, outputs, recording);
    await gpu.idle();
    return program;
  } catch (error) {
    for (const storage of recording.owned) gpu.free(storage);
    throw error;
  }
}

/** Gives every used temporary its slot. */
function place(gpu: Gpu, lifetimes: ReadonlyMap<Storage, Lifetime>): Storage[] {
  const plan = planMemory([...lifetimes.values()]);
  const slots = plan.slots.map((bytes, i) => gpu.allocate(bytes, `slot ${i}`));
  [...lifetimes.keys()].forEach((storage, i) => {
    storage.buffer = slots[plan.assignment[i]].buffer;
  });
  return slots;
}
