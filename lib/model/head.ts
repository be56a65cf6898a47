/**
 * The DINO projection head (Caron et al. 2021, arXiv:2104.14294, section 3.1 and appendix C).
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import { linear } from "../ops/linear.ts";
import type { Weight } from "../ops/weight.ts";
import { weightNormLinear } from "../ops/weight_norm.ts";
import { HEAD_DEFAULTS } from "./defaults.ts";
import type { Parameters, ParameterSpec } from "./parameters.ts";
import { type HeadForwardOptions, Projector } from "./projector.ts";

export type { HeadForwardOptions } from "./projector.ts";

/**
 * Shape of a head.
 *
 * @category Model
 */
export interface DinoHeadConfig {
  /** Width of the features. */
  inDim: number;
  /** Number K of output dimensions. */
  outDim: number;
  /** Width of the hidden layers; 2048 by default. */
  hiddenDim?: number;
  /** Width of the bottleneck; 256 by default. */
  bottleneckDim?: number;
  /** Linear layers before the last one; 3 by default. */
  layers?: number;
  /** Standard deviation of the initial weights of the hidden layers; 0.02 by default. */
  initStd?: number;
  /** Normalise the rows of the last layer; false makes it a plain linear layer without bias. True by default. */
  useWeightNorm?: boolean;
  /** Keep the last layer's weight_g at 1; true by default. */
  normLastLayer?: boolean;
}

/** The last layer: logits = x · Wᵀ with W = g · v / ‖v‖ per row, or W = v where there are no lengths. */
export interface LastLayer {
  /** Directions v [K, D], or the weight of a plain layer. */
  weightV: Weight;
  /** Lengths g [K, 1]; without `grad` they stay fixed. */
  weightG?: Weight;
}

/** Logits y [R, K] of a bottleneck x [R, D]; `backward` fills the gradients of the layer and returns dx. */
export function lastLogits(
  gpu: Gpu,
  x: Tensor,
  { weightV, weightG }: LastLayer,
): { y: Tensor; backward(dy: Tensor): Tensor } {
  if (weightG) return weightNormLinear(gpu, x, weightV, weightG);
  const { y, backward } = linear(gpu, x, weightV);
  return { y, backward: (dy) => backward(dy)! };
}

/** MLP with GELU, L2-normalised bottleneck, last layer, weight-normed or plain. A description without state. */
export class DinoHead {
  /** The configuration with defaults filled in. */
  readonly config: Required<DinoHeadConfig>;
  readonly #mlp: Projector;
  readonly #prefix: string;

  /**
   * Checks the shape.
   *
   * @param prefix What names of its parameters begin with; `head`, as in facebookresearch/dino, by default.
   * @throws {HatchlingError} When a size is not a positive whole number or K < 2, or a plain last layer is to have a
   * trained gain.
   */
  constructor(config: DinoHeadConfig, prefix = "head") {
    this.config = { ...HEAD_DEFAULTS, ...config };
    const { outDim, bottleneckDim, inDim, hiddenDim, layers, initStd } = this.config;
    for (
      const [key, value] of Object.entries({ inDim, outDim, hiddenDim, bottleneckDim, layers })
    ) {
      if (!Number.isInteger(value) || value < (key === "outDim" ? 2 : 1)) {
        throw new HatchlingError(
          `DinoHead: expected ${key} ≥ ${key === "outDim" ? 2 : 1} and whole but found ${value}`,
        );
      }
    }
    if (!this.config.useWeightNorm && !this.config.normLastLayer) {
      throw new HatchlingError(
        "DinoHead: expected normLastLayer true as useWeightNorm is false but found false: a plain layer has no gain " +
          "that could be trained",
      );
    }
    this.#prefix = prefix;
    this.#mlp = new Projector(prefix, {
      inDim,
      hiddenDim,
      outDim: bottleneckDim,
      layers,
      initStd,
    });
  }

  /** Names, shapes and initial values, in checkpoint order. */
  specs(): ParameterSpec[] {
    const { outDim, bottleneckDim, normLastLayer, useWeightNorm } = this.config;
    const shape = [outDim, bottleneckDim];
    const init = { uniform: 1 / Math.sqrt(bottleneckDim) };
    const weight = `${this.#prefix}.last_layer.weight`;
    if (!useWeightNorm) return [...this.#mlp.specs(), { name: weight, shape, init }];
    return [
      ...this.#mlp.specs(),
      {
        name: `${weight}_g`,
        shape: [outDim, 1],
        init: { constant: 1 },
        trainable: !normLastLayer,
      },
      { name: `${weight}_v`, shape, init },
    ];
  }

  /** Its last layer. */
  lastLayer(params: Parameters): LastLayer {
    const weight = `${this.#prefix}.last_layer.weight`;
    return this.config.useWeightNorm
      ? { weightV: params.get(`${weight}_v`), weightG: params.get(`${weight}_g`) }
      : { weightV: params.get(weight) };
  }

  /**
   * L2-normalised bottleneck y [R, bottleneckDim] of features x [R, D], and the last layer that makes logits
   * of it; `backward` fills the gradients of all layers before that one and returns dx.
   */
  bottleneck(
    gpu: Gpu,
    params: Parameters,
    x: Tensor,
    options: HeadForwardOptions = {},
  ): { y: Tensor; lastLayer: LastLayer; backward(dy: Tensor): Tensor } {
    return {
      ...this.#mlp.forward(gpu, params, x, options),
      lastLayer: this.lastLayer(params),
    };
  }

  /** Logits y [R, K] of features x [R, D]; `backward` fills the gradients and returns dx. */
  forward(
    gpu: Gpu,
    params: Parameters,
    x: Tensor,
    options: HeadForwardOptions = {},
  ): { y: Tensor; backward(dy: Tensor): Tensor } {
    const bottleneck = this.bottleneck(gpu, params, x, options);
    const last = lastLogits(gpu, bottleneck.y, bottleneck.lastLayer);
    return { y: last.y, backward: (dy) => bottleneck.backward(last.backward(dy)) };
  }
}
