/**
 * AdamW with decay groups and frozen groups, over whole arenas.
 *
 * @module
 */
import code from "../../kernels/adamw.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, sizeOf, type Tensor } from "../gpu.ts";
import { downloadByName, GRANULE, type Parameters, uploadByName } from "../model/parameters.ts";
import type { ClipResult } from "./clip.ts";
import { ADAMW_DEFAULTS } from "./defaults.ts";

const ADAMW = defineKernel("adamw", code);

/** Settings of {@linkcode AdamW}. */
export interface AdamWOptions {
  /** Decay rates of the first and second moment; [0.9, 0.999] by default. */
  betas?: readonly [number, number];
  /** Added to the denominator; 1e-8 by default. */
  eps?: number;
  /** Group of a parameter: groups are frozen and counted separately; all 0 by default. */
  group?: (name: string) => number;
  /** Factor of a parameter's learning rate, above 0; all 1 by default. */
  rateScale?: (name: string) => number;
}

/** What changes from step to step. */
export interface AdamWRates {
  /** Learning rate. */
  lr: number;
  /** Weight decay. */
  weightDecay: number;
  /** Groups to leave alone; none by default. */
  frozen?: readonly number[];
}

/** Weight decay applies to all but biases and one-dimensional tensors. */
export function isDecayed(name: string, shape: readonly number[]): boolean {
  return !(name.endsWith(".bias") || shape.length === 1);
}

/**
 * AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101). A frozen group is left alone: no decay, no
 * moments, and its own step count stands still.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { Parameters } from "@hatchling/hatchling/model";
 * import { AdamW, clipFactors } from "@hatchling/hatchling/optim";
 *
 * const gpu = await openGpu();
 * const params = new Parameters(gpu, [{ name: "w", shape: [2, 2], init: { constant: 0 } }], { grad: true });
 * const adamw = new AdamW(gpu, params);
 * adamw.set({ lr: 1e-3, weightDecay: 0.04 });
 * gpu.scope(() => adamw.step(clipFactors(gpu, params, 3)));
 * for (const t of [adamw, params]) t.destroy();
 * gpu.destroy();
 * ```
 */
export class AdamW {
  /** Decay rates. */
  readonly betas: readonly [number, number];
  /** Added to the denominator. */
  readonly eps: number;
  /** Steps taken, per group. */
  readonly counts: number[];
  /** First moments, by chunk, as gradients are. */
  readonly expAvg: readonly Tensor[];
  /** Second moments, by chunk, as gradients are. */
  readonly expAvgSq: readonly Tensor[];
  readonly #gpu: Gpu;
  readonly #params: Parameters;
  /** (learning rate, weight decay, 1 − β1ᵗ, √(1 − β2ᵗ)) of every group, and zeros for what is never trained. */
  readonly #rates: Tensor;
  readonly #group: (name: string) => number;
  readonly #rateScale: (name: string) => number;

  /**
   * Moments start at zero.
   *
   * @throws {HatchlingError} When a beta is not in [0, 1), or eps or a factor of the rate not above 0.
   */
  constructor(gpu: Gpu, params: Parameters, options: AdamWOptions = {}) {
    this.#gpu = gpu;
    this.#params = params;
    this.betas = options.betas ?? ADAMW_DEFAULTS.betas;
    this.eps = options.eps ?? ADAMW_DEFAULTS.eps;
    this.#group = options.group ?? (() => 0);
    this.#rateScale = options.rateScale ?? (() => 1);
    if (this.betas.some((b) => !(b >= 0 && b < 1)) || !(this.eps > 0)) {
      throw new HatchlingError(
        `AdamW: expected betas in [0, 1) and eps above 0 but found [${this.betas}] and ${this.eps}`,
      );
    }
    for (const { name } of params.all) {
      const scale = this.#rateScale(name);
      if (scale > 0 && scale < Infinity) continue;
      throw new HatchlingError(
        `AdamW: expected rateScale to give a factor above 0 but found ${scale} for ${name}`,
      );
    }
    const groups = params.all.filter((p) => p.grad).map((p) => this.#group(p.name));
    this.counts = Array(Math.max(0, ...groups) + 1).fill(0);
    this.#rates = gpu.persistent([this.counts.length + 1, 4], "rates");
    const { layout } = params;
    this.expAvg = layout.arena(gpu, "exp_avg", layout.frozen);
    this.expAvgSq = layout.arena(gpu, "exp_avg_sq", layout.frozen);
  }

  /** Sets the rates of the next step, and counts it for every group that is not frozen. */
  set({ lr, weightDecay, frozen = [] }: AdamWRates): void {
    const rates = new Float32Array(this.#rates.size);
    this.counts.forEach((_, group) => {
      if (frozen.includes(group)) return;
      const t = ++this.counts[group];
      const [b1, b2] = this.betas;
      rates.set([lr, weightDecay, 1 - b1 ** t, Math.sqrt(1 - b2 ** t)], 4 * group);
    });
    this.#rates.write(rates);
  }

  /**
   * One step over all parameters, with the rates that were set and the gradients clipped.
   *
   * @param clip Factors of {@linkcode clipFactors}.
   * @param flag The step's non-finite flag; none for eager use.
   */
  step(clip: readonly ClipResult[], flag?: Tensor): void {
    const [beta1, beta2] = this.betas;
    const { frozen } = this.#params.layout;
    this.#params.grads.forEach((grad, i) => {
      const gpu = this.#gpu;
      const chunk = frozen + i, data = this.#params.data[chunk];
      const segment = gpu.tensor(this.#segments(chunk), [data.size / GRANULE, 4], "segments");
      gpu.dispatch(ADAMW, {
        bindings: {
          parameter: data,
          grad,
          exp_avg: this.expAvg[i],
          exp_avg_sq: this.expAvgSq[i],
          segment,
          factors: clip[i].factors,
          scalars: this.#rates,
          flag,
        },
        params: {
          n: data.size,
          groups: 0,
          beta1,
          rest1: 1 - beta1,
          beta2,
          rest2: 1 - beta2,
          eps: this.eps,
        },
        workgroups: grid(data.size / 16, 64),
        flops: 14 * data.size,
      });
    });
  }

  /** Uploads moments by parameter name. */
  load(
    expAvg: ReadonlyMap<string, Float32Array>,
    expAvgSq: ReadonlyMap<string, Float32Array>,
  ): void {
    uploadByName(this.#params, this.expAvg, expAvg);
    uploadByName(this.#params, this.expAvgSq, expAvgSq);
  }

  /** Downloads the moments by parameter name. */
  async save(): Promise<
    { expAvg: Map<string, Float32Array>; expAvgSq: Map<string, Float32Array> }
  > {
    return {
      expAvg: await downloadByName(this.#gpu, this.#params, this.expAvg),
      expAvgSq: await downloadByName(this.#gpu, this.#params, this.expAvgSq),
    };
  }

  /** Frees moments and rates. */
  destroy(): void {
    for (const t of [this.#rates, ...this.expAvg, ...this.expAvgSq]) t.destroy();
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
