/**
 * What optimisers have in common: groups with rates of their own, moments in arenas, a step over all of them.
 *
 * @module
 */
import updateCode from "../../kernels/shared/update.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { type Gpu, grid, type KernelSource, type SharedCode, sizeOf, type Tensor } from "../gpu.ts";
import { downloadByName, GRANULE, type Parameters, uploadByName } from "../model/parameters.ts";
import type { ClipResult } from "./clip.ts";

/** What the kernels of all optimisers share. */
export const UPDATE: SharedCode = { name: "update", code: updateCode };

/** Settings of every optimiser. */
export interface OptimizerOptions {
  /** Group of a parameter: groups are frozen and counted separately; all 0 by default. */
  group?: (name: string) => number;
  /** Factor of a parameter's learning rate, above 0; all 1 by default. */
  rateScale?: (name: string) => number;
}

/** What changes from step to step. */
export interface OptimizerRates {
  /** Learning rate. */
  lr: number;
  /** Weight decay. */
  weightDecay: number;
  /** Groups to leave alone; none by default. */
  frozen?: readonly number[];
  /** Groups whose learning rate is 0: only their moments move; none by default. */
  held?: readonly number[];
  /** Momentum of the teacher that steps along, if one does. */
  momentum?: number;
}

/** What an optimiser keeps of every parameter, by the name that PyTorch has for it, then by parameter. */
export type Moments = Map<string, Map<string, Float32Array>>;

/** What is an optimiser's own in a step. */
export interface StepKernel {
  /** The kernel. */
  kernel: KernelSource;
  /** What is compiled into it. */
  constants?: Record<string, boolean>;
  /** Its numbers, beside `n` and `groups`. */
  params: Record<string, number>;
  /** Floating-point operations of an element. */
  flops: number;
}

/** Weight decay applies to all but biases and one-dimensional tensors. */
export function isDecayed(name: string, shape: readonly number[]): boolean {
  return !(name.endsWith(".bias") || shape.length === 1);
}

/** An optimiser over whole arenas. A frozen group is left alone: no decay, no moments, and its own step count stands still. */
export abstract class Optimizer {
  /** Steps taken, per group. */
  readonly counts: number[];
  /** Moments by name, each by chunk, as gradients are. */
  readonly moments: ReadonlyMap<string, readonly Tensor[]>;
  /** [3], u32: the non-finite flag of a step, which does nothing while the first element is not 0. */
  readonly flag: Tensor;
  readonly #kind: string;
  readonly #gpu: Gpu;
  readonly #params: Parameters;
  /** The flag, then the rates: one binding of the kernels. */
  readonly #table: Tensor;
  /**
   * (learning rate, weight decay, two corrections) of every group, zeros for what is never trained, and the teacher's
   * momentum with 1 less it.
   */
  readonly #rates: Tensor;
  readonly #group: (name: string) => number;
  readonly #rateScale: (name: string) => number;

  /**
   * Moments start at zero.
   *
   * @param kind What it is called in messages.
   * @param moments Names of what it keeps of every parameter.
   * @throws {HatchlingError} When a factor of the rate is not above 0.
   */
  constructor(
    gpu: Gpu,
    params: Parameters,
    kind: string,
    moments: readonly string[],
    { group = () => 0, rateScale = () => 1 }: OptimizerOptions,
  ) {
    this.#kind = kind;
    this.#gpu = gpu;
    this.#params = params;
    this.#group = group;
    this.#rateScale = rateScale;
    for (const { name } of params.all) {
      const scale = rateScale(name);
      if (scale > 0 && scale < Infinity) continue;
      throw new HatchlingError(
        `${kind}: expected rateScale to give a factor above 0 but found ${scale} for ${name}`,
      );
    }
    const { layout } = params;
    const groups = params.all.filter((p) => p.grad).map((p) => group(p.name));
    this.counts = Array(Math.max(0, ...groups) + 1).fill(0);
    const shape = [this.counts.length + 2, 4];
    const from = gpu.alignment / 4;
    this.#table = gpu.persistent([from + sizeOf(shape)], "rates");
    this.flag = this.#table.view([3]);
    this.#rates = this.#table.view(shape, from);
    this.moments = new Map(moments.map((name) => [name, layout.arena(gpu, name, layout.frozen)]));
  }

  /** What step t, from 1, of a group is divided by; the first is not 0, which stands for a frozen one. */
  protected abstract corrections(t: number): [number, number];

  /** Its kernel. */
  protected abstract kernel(): StepKernel;

  /** Sets the rates of the next step, and counts it for every group that is not frozen. */
  set({ lr, weightDecay, frozen = [], held = [], momentum = 1 }: OptimizerRates): void {
    const rates = new Float32Array(this.#rates.size);
    this.counts.forEach((_, group) => {
      if (frozen.includes(group)) return;
      const t = ++this.counts[group];
      const rate = held.includes(group) ? 0 : lr;
      rates.set([rate, weightDecay, ...this.corrections(t)], 4 * group);
    });
    rates.set([momentum, 1 - momentum], rates.length - 4);
    this.#rates.write(rates);
  }

  /**
   * One step over all parameters, with the rates that were set and the gradients clipped; nothing while the flag is
   * set.
   *
   * @param clip Factors of {@linkcode clipFactors}.
   * @param teacher A moving average of these parameters that follows, as {@linkcode emaUpdate} would make it
   * afterwards, with the momentum that was set.
   */
  step(clip: readonly ClipResult[], teacher?: Parameters): void {
    const { kernel, constants, params, flops } = this.kernel();
    const { frozen } = this.#params.layout;
    this.#params.grads.forEach((grad, i) => {
      const gpu = this.#gpu;
      const chunk = frozen + i, data = this.#params.data[chunk];
      const segment = gpu.tensor(this.#segments(chunk), [data.size / GRANULE, 4], "segments");
      const groups = gpu.alignment / 4;
      gpu.dispatch(kernel, {
        constants: { ...constants, FOLLOW: !!teacher },
        bindings: {
          ...{ parameter: data, grad, segment, factors: clip[i].factors },
          ...{ table: this.#table, teacher: teacher?.data[chunk] },
          ...Object.fromEntries([...this.moments].map(([name, chunks]) => [name, chunks[i]])),
        },
        params: {
          ...{ n: data.size, groups, momentum_at: groups + this.#rates.size - 4 },
          ...params,
        },
        workgroups: grid(data.size / 16, 64),
        flops: (flops + (teacher ? 3 : 0)) * data.size,
      });
    });
  }

  /**
   * Uploads moments by their name and that of the parameter.
   *
   * @throws {HatchlingError} When they are those of another optimiser, or some are missing.
   */
  load(moments: ReadonlyMap<string, ReadonlyMap<string, Float32Array>>): void {
    const names = (of: ReadonlyMap<string, unknown>) => [...of.keys()].sort().join(", ");
    if (names(moments) !== names(this.moments)) {
      throw new HatchlingError(
        `Expected the state of ${this.#kind} (${
          names(this.moments)
        }) but found that of another optimiser ` +
          `(${
            names(moments) || "none"
          }): go on with the optimizer.optimizer that it was trained with, or start anew ` +
          "from its weights with --weights",
      );
    }
    for (const [name, arena] of this.moments) uploadByName(this.#params, arena, moments.get(name)!);
  }

  /** Downloads the moments. */
  async save(): Promise<Moments> {
    const saved: Moments = new Map();
    for (const [name, arena] of this.moments) {
      saved.set(name, await downloadByName(this.#gpu, this.#params, arena));
    }
    return saved;
  }

  /** Frees moments, rates and flag. */
  destroy(): void {
    for (const t of [this.#table, ...[...this.moments.values()].flat()]) t.destroy();
  }

  /** (tensor, decayed, group, bits of the rate's factor) of each granule of a chunk; untrained ones in the last group. */
  #segments(chunk: number): Uint32Array {
    const { layout } = this.#params;
    const table = new Uint32Array(4 * this.#params.data[chunk].size / GRANULE);
    layout.slots.filter((slot) => slot.chunk === chunk).forEach(({ spec, start }, tensor) => {
      const group = this.#params.get(spec.name).grad ? this.#group(spec.name) : this.counts.length;
      const scale = Float32Array.of(this.#rateScale(spec.name));
      const [bits] = new Uint32Array(scale.buffer);
      const row = [tensor, +isDecayed(spec.name, spec.shape), group, bits];
      const end = (start + sizeOf(spec.shape)) / GRANULE;
      for (let i = start / GRANULE; i < end; i++) table.set(row, 4 * i);
    });
    return table;
  }
}
