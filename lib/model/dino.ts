/**
 * Backbone and heads together, over crops of several sizes.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import { ContrastiveHead, type ContrastiveHeadConfig } from "./contrastive_head.ts";
import { type Feature, featureDim } from "./feature.ts";
import { DinoHead, type DinoHeadConfig, type LastLayer } from "./head.ts";
import type { Parameters, ParameterSpec } from "./parameters.ts";
import { readFeatures } from "./reads.ts";
import { VisionTransformer, type ViTConfig, type ViTForwardOptions } from "./vit.ts";

/** What a model reads, and the heads beside DINO's. */
export interface ModelReads {
  /** What DINO's head reads; `class` by default. */
  feature?: Feature;
  /** The projector of a contrastive loss; it reads the same feature by default. */
  contrastive?: Omit<ContrastiveHeadConfig, "dim" | "feature"> & { feature?: Feature };
}

/**
 * A vision transformer with the heads that it is trained through: a description without state.
 *
 * @category Model
 */
export class DinoModel {
  /** The backbone. */
  readonly vit: VisionTransformer;
  /** What DINO's head reads. */
  readonly feature: Feature;
  /** DINO's projection head; absent where another objective takes its place. */
  readonly head?: DinoHead;
  /** The projector of a contrastive loss, where there is one. */
  readonly contrastive?: ContrastiveHead;

  /**
   * Checks all shapes.
   *
   * @param head Shape of DINO's head; `null` where the contrastive one is alone.
   * @throws {HatchlingError} As the parts do, or when there is no head at all.
   */
  constructor(
    vit: ViTConfig,
    head: Omit<DinoHeadConfig, "inDim"> | null,
    { feature = "class", contrastive }: ModelReads = {},
  ) {
    if (!head && !contrastive) {
      throw new HatchlingError(
        "DinoModel: expected a head to train through but found none: give DINO's head, a contrastive one, or both",
      );
    }
    this.vit = new VisionTransformer(vit);
    this.feature = feature;
    const { dim } = vit;
    if (head) this.head = new DinoHead({ ...head, inDim: featureDim(feature, dim) });
    if (contrastive) this.contrastive = new ContrastiveHead({ feature, ...contrastive, dim });
  }

  /** Names, shapes and initial values of all parameters, in checkpoint order. */
  specs(): ParameterSpec[] {
    const heads = [this.head, this.contrastive];
    return [...this.vit.specs(), ...heads.flatMap((head) => head?.specs() ?? [])];
  }

  /**
   * Bottlenecks of all views, for a loss that makes the logits itself.
   *
   * @param crops Images per crop size, [n, C, H, W], view-major, global ones first.
   * @returns The L2-normalised bottleneck [Σ n, bottleneckDim], the last layer, and features [Σ n, F].
   * @throws {HatchlingError} When the model has no DINO head.
   */
  bottleneck(
    gpu: Gpu,
    params: Parameters,
    crops: readonly Tensor[],
    options: ViTForwardOptions = {},
  ): { bottleneck: Tensor; lastLayer: LastLayer; features: Tensor } {
    const head = this.#dino(), { feature } = this;
    const reads = readFeatures(gpu, this.vit, params, crops, { ...options, features: [feature] });
    const features = reads.feature(feature);
    const { y: bottleneck, lastLayer } = head.bottleneck(gpu, params, features, options);
    return { bottleneck, lastLayer, features };
  }

  /**
   * Logits of all views.
   *
   * @param crops Images per crop size, [n, C, H, W], view-major, global ones first.
   * @returns logits [Σ n, K], features [Σ n, F], and `backward(dLogits)`, which fills the gradients.
   * @throws {HatchlingError} When the model has no DINO head.
   */
  forward(
    gpu: Gpu,
    params: Parameters,
    crops: readonly Tensor[],
    options: ViTForwardOptions = {},
  ): { logits: Tensor; features: Tensor; backward(dLogits: Tensor): void } {
    const dino = this.#dino(), { feature } = this;
    const reads = readFeatures(gpu, this.vit, params, crops, { ...options, features: [feature] });
    const features = reads.feature(feature);
    const head = dino.forward(gpu, params, features, options);
    return {
      logits: head.y,
      features,
      backward(dLogits) {
        reads.give(feature, head.backward(dLogits));
        reads.backward();
      },
    };
  }

  #dino(): DinoHead {
    if (this.head) return this.head;
    throw new HatchlingError(
      "DinoModel: expected DINO's head but this model has a contrastive one alone: read model.vit, or train with " +
        "loss.objective dino",
    );
  }
}
