/**
 * The projector of a contrastive loss (Chen et al. 2020, arXiv:2002.05709, section 2.1), without batch norm.
 *
 * @module
 */
import { type Feature, featureDim } from "./feature.ts";
import { CONTRASTIVE_DEFAULTS } from "./defaults.ts";
import type { Parameter, Parameters, ParameterSpec } from "./parameters.ts";
import { Projector } from "./projector.ts";

/** Shape of a {@linkcode ContrastiveHead}. */
export interface ContrastiveHeadConfig {
  /** Width D of the backbone's tokens. */
  dim: number;
  /** What it reads. */
  feature: Feature;
  /** Width of the hidden layers; 256 by default. */
  hiddenDim?: number;
  /** Width of the projection; 64 by default. */
  outDim?: number;
  /** Linear layers; 3 by default. */
  layers?: number;
  /** Learns the temperature, from this one on; fixed elsewhere by default. */
  learnedTemperature?: number;
}

const LOG_SCALE = "contrastive_head.logit_scale";

/**
 * An MLP with GELU from a feature to directions. A description without state; parameters are `contrastive_head.mlp.0`,
 * `.2`, …, and `contrastive_head.logit_scale`, ln(1 / τ) as in CLIP (Radford et al. 2021, arXiv:2103.00020), where the
 * temperature is learned.
 */
export class ContrastiveHead extends Projector {
  /** What it reads. */
  readonly feature: Feature;
  readonly #learned?: number;

  /**
   * Checks the shape.
   *
   * @throws {HatchlingError} When a size is not a positive whole number.
   */
  constructor({ dim, feature, learnedTemperature, ...sizes }: ContrastiveHeadConfig) {
    super("contrastive_head", {
      ...CONTRASTIVE_DEFAULTS,
      ...sizes,
      inDim: featureDim(feature, dim),
    });
    this.feature = feature;
    this.#learned = learnedTemperature;
  }

  /** Names, shapes and initial values, in checkpoint order. */
  override specs(): ParameterSpec[] {
    const specs = super.specs();
    if (this.#learned === undefined) return specs;
    const init = { constant: Math.log(1 / this.#learned) };
    return [...specs, { name: LOG_SCALE, shape: [1], init }];
  }

  /** Whether it has a temperature of its own. */
  get learnsTemperature(): boolean {
    return this.#learned !== undefined;
  }

  /** ln(1 / τ) where it is learned. */
  logScale(params: Parameters): Parameter | undefined {
    return this.#learned === undefined ? undefined : params.get(LOG_SCALE);
  }
}
