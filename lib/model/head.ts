/**
 * The DINO projection head (Caron et al. 2021, arXiv:2104.14294, section 3.1 and appendix C).
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import { l2Normalize } from "../ops/l2_normalize.ts";
import { linear, type LinearResult } from "../ops/linear.ts";
import type { Weight } from "../ops/weight.ts";
import { weightNormLinear } from "../ops/weight_norm.ts";
import { HEAD_DEFAULTS } from "./defaults.ts";
import type { Parameters, ParameterSpec } from "./parameters.ts";

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

/** Options of {@linkcode DinoHead.forward}. */
export interface HeadForwardOptions {
  /** Gets `bottleneck` (before L2) and `normalized` (after). */
  trace?: Map<string, Tensor>;
  /** Is shown the same. */
  watch?: (name: string, tensor: Tensor) => void;
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

  /**
   * Checks the shape.
   *
   * @throws {HatchlingError} When a size is not a positive whole number or K < 2.
   */
  constructor(config: DinoHeadConfig) {
    this.config = { ...HEAD_DEFAULTS, ...config };
    const { normLastLayer: _, initStd: __, ...sizes } = this.config;
    for (const [key, value] of Object.entries(sizes)) {
      if (!Number.isInteger(value) || value < (key === "outDim" ? 2 : 1)) {
        throw new HatchlingError(
          `DinoHead: expected ${key} ≥ ${key === "outDim" ? 2 : 1} and whole but found ${value}`,
        );
      }
    }
  }

  /** (name, out, in) of the hidden linears, numbered with the GELUs in between: 0, 2, 4, … */
  #linears(): [string, number, number][] {
    const { inDim, hiddenDim, bottleneckDim, layers } = this.config;
    if (layers === 1) return [["head.mlp", bottleneckDim, inDim]];
    const widths = [inDim, ...Array<number>(layers - 1).fill(hiddenDim), bottleneckDim];
    return widths.slice(1).map((width, i) => [`head.mlp.${2 * i}`, width, widths[i]]);
  }

  /** Names, shapes and initial values, in checkpoint order. */
  specs(): ParameterSpec[] {
    const { outDim, bottleneckDim, normLastLayer, initStd } = this.config;
    const specs: ParameterSpec[] = this.#linears().flatMap(([name, out, inputs]) => [
      { name: `${name}.weight`, shape: [out, inputs], init: { normal: initStd } },
      { name: `${name}.bias`, shape: [out], init: { constant: 0 } },
    ]);
    specs.push(
      {
        name: "head.last_layer.weight_g",
        shape: [outDim, 1],
        init: { constant: 1 },
        trainable: !normLastLayer,
      },
      {
        name: "head.last_layer.weight_v",
        shape: [outDim, bottleneckDim],
        init: { uniform: 1 / Math.sqrt(bottleneckDim) },
      },
    );
    return specs;
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
    const names = this.#linears().map(([name]) => name);
    const runs: LinearResult[] = [];
    let h = x;
    names.forEach((name, i) => {
      const gelu = i + 1 < names.length;
      const run = linear(gpu, h, params.get(`${name}.weight`), params.get(`${name}.bias`), {
        gelu,
      });
      runs.push(run);
      h = run.y;
    });
    const normalized = l2Normalize(gpu, h);
    for (const [name, tensor] of [["bottleneck", h], ["normalized", normalized.y]] as const) {
      options.trace?.set(name, tensor);
      options.watch?.(name, tensor);
    }
    return {
      y: normalized.y,
      lastLayer: {
        weightV: params.get("head.last_layer.weight_v"),
        weightG: params.get("head.last_layer.weight_g"),
      },
      backward(dy) {
        let d = normalized.backward(dy);
        for (let i = runs.length - 1; i >= 0; i--) {
          d = runs[i].backward(d, { geluGradOf: runs[i - 1]?.pre })!;
        }
        return d;
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
