/**
 * A GPU that computes nothing and notes every tensor that kernels are given.
 *
 * @module
 */
import { DryGpu } from "../gpu/dry.ts";
import { checkDispatch, type DispatchOptions } from "../gpu/dispatch.ts";
import type { KernelSource, Tensor } from "../gpu.ts";
import type { Storage } from "../gpu/tensor.ts";
import type { Lifetime } from "../gpu/plan.ts";
import { HatchlingError } from "../errors.ts";

/** A temporary of a recording. */
export interface Temporary extends Lifetime {
  /** Its label. */
  label: string;
}

/** A tensor, by name and shape. */
export interface NamedBytes {
  /** What it is. */
  what: string;
  /** Its bytes. */
  bytes: number;
}

/** Arenas are cut into chunks that the adapter binds, so they are never too large. */
const ARENA = /^(parameters|gradients|exp_avg|exp_avg_sq|momentum_buffer)\.\d+$/;

/** As a {@linkcode DryGpu}, but what the adapter refuses is noted and left out, so that all of it gets known. */
export class WatchedGpu extends DryGpu {
  /** Temporaries of the recording under way, by their memory. */
  temporaries: Map<Storage, Temporary> = new Map();
  /** Tensors that kernels are given, by name and shape. */
  readonly tensors: Map<string, number> = new Map();
  /** What the adapter refuses, in words. */
  readonly refused: string[] = [];
  /** Most workgroups along a dimension. */
  workgroups = 0;
  /** Most storage buffers of a kernel. */
  bindings = 0;
  #at = 0;

  /** Begins a recording. */
  begin(): void {
    this.temporaries = new Map();
    this.#at = 0;
  }

  /** Notes a dispatch. */
  override dispatch(source: KernelSource, options: DispatchOptions): void {
    const at = this.#at++;
    const tensors = Object.values(options.bindings).filter((tensor) => tensor !== undefined);
    for (const tensor of tensors) this.#note(tensor, at);
    const most = Math.max(...options.workgroups.map((n) => n ?? 1));
    this.workgroups = Math.max(this.workgroups, most);
    this.bindings = Math.max(this.bindings, source.bindings.length);
    try {
      checkDispatch(source, tensors, options, this.limits);
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
      this.refused.push(error.message);
      return;
    }
    super.dispatch(source, options);
  }

  /** Notes an allocation that no buffer can hold, too. */
  override allocate(bytes: number, label: string): Storage {
    if (bytes <= this.limits.maxBufferSize) return super.allocate(bytes, label);
    this.refused.push(
      `${label} needs ${bytes} bytes in one buffer but this adapter allows ${this.limits.maxBufferSize}`,
    );
    const storage = super.allocate(16, label);
    this.memory.add(bytes - storage.bytes);
    storage.bytes = bytes;
    return storage;
  }

  #note(tensor: Tensor, at: number): void {
    const { storage } = tensor;
    const { label, bytes } = storage;
    if (!ARENA.test(label)) this.tensors.set(String(tensor), tensor.bytes);
    if (storage.buffer) return;
    const known = this.temporaries.get(storage);
    if (known) known.last = at;
    else this.temporaries.set(storage, { label, bytes, first: at, last: at });
  }
}
