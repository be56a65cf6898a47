/**
 * Stochastic gradient descent with momentum.
 *
 * @module
 */
import code from "../../kernels/sgd.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, type KernelSource } from "../gpu.ts";
import type { Parameters } from "../model/parameters.ts";
import { SGD_DEFAULTS } from "./defaults.ts";
import { Optimizer, type OptimizerOptions, type StepKernel, UPDATE } from "./optimizer.ts";

/** The kernel of a step. */
export const SGD_STEP: KernelSource = defineKernel("sgd", code, { shared: [UPDATE] });

/** Settings of {@linkcode Sgd}. */
export interface SgdOptions extends OptimizerOptions {
  /** Share of the momentum that stays, in [0, 1); 0.9 by default. */
  momentum?: number;
  /** Step along the gradient and the momentum that follows it; false by default. */
  nesterov?: boolean;
}

/**
 * SGD with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013), as PyTorch has it: without dampening, and with
 * weight decay as a part of the gradient.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { Parameters } from "@hatchling/hatchling/model";
 * import { clipFactors, Sgd } from "@hatchling/hatchling/optim";
 *
 * const gpu = await openGpu();
 * const params = new Parameters(gpu, [{ name: "w", shape: [2, 2], init: { constant: 0 } }], { grad: true });
 * const sgd = new Sgd(gpu, params, { momentum: 0.9, nesterov: true });
 * sgd.set({ lr: 0.03, weightDecay: 1e-4 });
 * gpu.scope(() => sgd.step(clipFactors(gpu, params, 0)));
 * for (const t of [sgd, params]) t.destroy();
 * gpu.destroy();
 * ```
 */
export class Sgd extends Optimizer {
  /** Share of the momentum that stays. */
  readonly momentum: number;
  /** Whether the momentum is Nesterov's. */
  readonly nesterov: boolean;

  /**
   * The momentum starts at zero.
   *
   * @throws {HatchlingError} When momentum is not in [0, 1), or 0 with `nesterov`, or a factor of the rate not above 0.
   */
  constructor(gpu: Gpu, params: Parameters, options: SgdOptions = {}) {
    const { momentum, nesterov, ...rest } = { ...SGD_DEFAULTS, ...options };
    if (!(momentum >= 0 && momentum < 1) || nesterov && momentum === 0) {
      throw new HatchlingError(
        `SGD: expected momentum in ${
          nesterov ? "(0, 1) with nesterov" : "[0, 1)"
        } but found ${momentum}`,
      );
    }
    super(gpu, params, "SGD", ["momentum_buffer"], rest);
    this.momentum = momentum;
    this.nesterov = nesterov;
  }

  /** There are none. */
  protected corrections(): [number, number] {
    return [1, 1];
  }

  /** The kernel and its constants. */
  protected kernel(): StepKernel {
    const { momentum, nesterov } = this;
    return { kernel: SGD_STEP, constants: { NESTEROV: nesterov }, params: { momentum }, flops: 8 };
  }
}
