/**
 * The DINO projection head (Caron et al. 2021, arXiv:2104.14294, section 3.1 and appendix C).
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
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
  /** Keep the last layer's weight_g at 1; true by default. */
  normLastLayer?: boolean;
}

/** The last layer: logits = x · Wᵀ with W = g · v / ‖v‖ per row. */
export interface LastLayer {
  /** Directions v [K, D]. */
  weightV: Weight;
  /** Lengths g [K, 1]; without `grad` they stay fixed. */
  weightG: Weight;
}

/** MLP with GELU, L2-normalised bottleneck, weight-normed last layer. A description without state. */
export class DinoHead {
  /** The configuration with defaults filled in. */
  readonly config: Required<DinoHeadConfig>;
  readonly #mlp: Projector;
  readonly #prefix: string;

  /**
   * Checks the shape.
   *
   * @param prefix What names of its parameters begin with; `head`, as in facebookresearch/dino, by default.
   * @throws {HatchlingError} When a size is not a positive whole number or K < 2.
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
    const { outDim, bottleneckDim, normLastLayer } = this.config;
    return [
      ...this.#mlp.specs(),
      {
        name: `${this.#prefix}.last_layer.weight_g`,
        shape: [outDim, 1],
        init: { constant: 1 },
        trainable: !normLastLayer,
      },
      {
        name: `${this.#prefix}.last_layer.weight_v`,
        shape: [outDim, bottleneckDim],
        init: { uniform: 1 / Math.sqrt(bottleneckDim) },
      },
    ];
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
      lastLayer: {
        weightV: params.get(`${this.#prefix}.last_layer.weight_v`),
        weightG: params.get(`${this.#prefix}.last_layer.weight_g`),
      },
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
    const { weightV, weightG } = bottleneck.lastLayer;
    const last = weightNormLinear(gpu, bottleneck.y, weightV, weightG);
    return { y: last.y, backward: (dy) => bottleneck.backward(last.backward(dy)) };
  }
}
