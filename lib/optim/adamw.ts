/**
 * AdamW, and Adam with L2 regularisation.
 *
 * @module
 */
import code from "../../kernels/adamw.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu } from "../gpu.ts";
import type { Parameters } from "../model/parameters.ts";
import { ADAM_DEFAULTS } from "./defaults.ts";
import { Optimizer, type OptimizerOptions, type StepKernel, UPDATE } from "./optimizer.ts";

const ADAMW = defineKernel("adamw", code, { shared: [UPDATE] });

/** Settings of {@linkcode AdamW}. */
export interface AdamWOptions extends OptimizerOptions {
  /** Decay rates of the first and second moment; [0.9, 0.999] by default. */
  betas?: readonly [number, number];
  /** Added to the denominator; 1e-8 by default. */
  eps?: number;
  /**
   * Weight decay shrinks the weights by themselves; false adds it to the gradient, which is Adam as PyTorch has it.
   * True by default.
   */
  decoupled?: boolean;
}

/**
 * AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), or Adam (Kingma and Ba 2015, arXiv:1412.6980) with L2
 * regularisation where `decoupled` is false.
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
export class AdamW extends Optimizer {
  /** Decay rates. */
  readonly betas: readonly [number, number];
  /** Added to the denominator. */
  readonly eps: number;
  /** Whether weight decay is apart from the gradient. */
  readonly decoupled: boolean;

  /**
   * Moments start at zero.
   *
   * @throws {HatchlingError} When a beta is not in [0, 1), or eps or a factor of the rate not above 0.
   */
  constructor(gpu: Gpu, params: Parameters, options: AdamWOptions = {}) {
    const { betas, eps, decoupled = true, ...rest } = { ...ADAM_DEFAULTS, ...options };
    const kind = decoupled ? "AdamW" : "Adam";
    if (betas.some((b) => !(b >= 0 && b < 1)) || !(eps > 0)) {
      throw new HatchlingError(
        `${kind}: expected betas in [0, 1) and eps above 0 but found [${betas}] and ${eps}`,
      );
    }
    super(gpu, params, kind, ["exp_avg", "exp_avg_sq"], rest);
    this.betas = betas;
    this.eps = eps;
    this.decoupled = decoupled;
  }

  /** What the first and second moments of step t are divided by. */
  protected corrections(t: number): [number, number] {
    const [b1, b2] = this.betas;
    return [1 - b1 ** t, Math.sqrt(1 - b2 ** t)];
  }

  /** The kernel and its constants. */
  protected kernel(): StepKernel {
    const [beta1, beta2] = this.betas;
    return {
      kernel: ADAMW,
      constants: { COUPLED: !this.decoupled },
      params: { beta1, rest1: 1 - beta1, beta2, rest2: 1 - beta2, eps: this.eps },
      flops: 14,
    };
  }
}
