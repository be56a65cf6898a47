/**
 * Backbone and heads together, over crops of several sizes.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import type { Backbone } from "./backbone.ts";
import { ContrastiveHead, type ContrastiveHeadConfig } from "./contrastive_head.ts";
import { type Feature, featureDim, featureParts } from "./feature.ts";
import { DinoHead, type DinoHeadConfig, type LastLayer } from "./head.ts";
import type { Parameters, ParameterSpec } from "./parameters.ts";
import { readFeatures } from "./reads.ts";
import { transformerOf, VisionTransformer } from "./vit.ts";
import type { ViTForwardOptions } from "./vit_pass.ts";
import type { ViTConfig } from "./vit_specs.ts";

/** What a model reads, and the heads beside DINO's. */
export interface ModelReads {
  /** What DINO's head reads; `class` by default. */
  feature?: Feature;
  /** The projector of a contrastive loss; it reads the same feature by default. */
  contrastive?: Omit<ContrastiveHeadConfig, "dim" | "feature"> & { feature?: Feature };
  /**
   * Through which head masked patches are learned (iBOT): DINO's, which must then read a feature as wide as a token, or
   * one of the same shape for them alone. Adds the mask token. None by default.
   */
  ibot?: "shared" | "separate";
}

/**
 * A backbone with the heads that it is trained through: a description without state.
 *
 * @category Model
 */
export class DinoModel {
  /** The backbone. */
  readonly backbone: Backbone;
  /** What DINO's head reads. */
  readonly feature: Feature;
  /** DINO's projection head; absent where another objective takes its place. */
  readonly head?: DinoHead;
  /** The projector of a contrastive loss, where there is one. */
  readonly contrastive?: ContrastiveHead;
  /** What reads masked patches, where they are learned: DINO's head, or one with names that begin with `ibot_head`. */
  readonly patchHead?: DinoHead;

  /**
   * Checks all shapes.
   *
   * @param backbone Shape of a vision transformer, or a backbone of any kind.
   * @param head Shape of DINO's head; `null` where the contrastive one is alone.
   * @throws {HatchlingError} As the parts do, or when there is no head at all.
   */
  constructor(
    backbone: ViTConfig | Backbone,
    head: Omit<DinoHeadConfig, "inDim"> | null,
    { feature = "class", contrastive, ibot }: ModelReads = {},
  ) {
    if (!head && !contrastive) {
      throw new HatchlingError(
        "DinoModel: expected a head to train through but found none: give DINO's head, a contrastive one, or both",
      );
    }
    this.backbone = "specs" in backbone
      ? backbone
      : new VisionTransformer({ ...backbone, maskToken: backbone.maskToken ?? !!ibot });
    if (ibot) transformerOf(this.backbone, "masked patches (iBOT)");
    for (const word of [feature, contrastive?.feature ?? feature]) {
      if (this.backbone.hasClass || featureParts(word).classTokens === 0) continue;
      throw new HatchlingError(
        `DinoModel: expected a feature of patches, as the model has no class token, but found ${word}: use mean, ` +
          "quad or grid",
      );
    }
    this.feature = feature;
    const { dim } = backbone;
    if (head) this.head = new DinoHead({ ...head, inDim: featureDim(feature, dim) });
    if (ibot) this.patchHead = this.#patchHead(ibot, head && { ...head, inDim: dim });
    if (contrastive) this.contrastive = new ContrastiveHead({ feature, ...contrastive, dim });
  }

  /** Names, shapes and initial values of all parameters, in checkpoint order. */
  specs(): ParameterSpec[] {
    const ofPatches = this.patchHead === this.head ? undefined : this.patchHead;
    const heads = [this.head, ofPatches, this.contrastive];
    return [...this.backbone.specs(), ...heads.flatMap((head) => head?.specs() ?? [])];
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
    const reads = readFeatures(gpu, this.backbone, params, crops, {
      ...options,
      features: [feature],
    });
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
    const reads = readFeatures(gpu, this.backbone, params, crops, {
      ...options,
      features: [feature],
    });
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

  #patchHead(ibot: "shared" | "separate", separate: DinoHeadConfig | null): DinoHead {
    if (!separate || !this.head) {
      throw new HatchlingError(
        `DinoModel: expected DINO's head with ibot ${ibot} but found none: masked patches are learned beside it`,
      );
    }
    if (ibot === "separate") return new DinoHead(separate, "ibot_head");
    if (this.head.config.inDim === separate.inDim) return this.head;
    throw new HatchlingError(
      `DinoModel: expected a feature as wide as a token (${separate.inDim}) with ibot shared but found ` +
        `${this.feature} (${this.head.config.inDim}): read class or mean, or give ibot a separate head`,
    );
  }

  #dino(): DinoHead {
    if (this.head) return this.head;
    throw new HatchlingError(
      "DinoModel: expected DINO's head but this model has a contrastive one alone: read model.backbone, or train with " +
        "loss.objective dino",
    );
  }
}
