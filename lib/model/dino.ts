/**
 * Backbone and head together, over crops of several sizes.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { DinoHead, type DinoHeadConfig, type LastLayer } from "./head.ts";
import type { Parameters, ParameterSpec } from "./parameters.ts";
import { VisionTransformer, type ViTConfig, type ViTForwardOptions } from "./vit.ts";

/**
 * A vision transformer with a DINO head: a description without state.
 *
 * @category Model
 */
export class DinoModel {
  /** The backbone. */
  readonly vit: VisionTransformer;
  /** The projection head. */
  readonly head: DinoHead;

  /**
   * Checks both shapes.
   *
   * @throws {HatchlingError} As the two parts do.
   */
  constructor(vit: ViTConfig, head: Omit<DinoHeadConfig, "inDim">) {
    this.vit = new VisionTransformer(vit);
    this.head = new DinoHead({ ...head, inDim: vit.dim });
  }

  /** Names, shapes and initial values of all parameters, in checkpoint order. */
  specs(): ParameterSpec[] {
    return [...this.vit.specs(), ...this.head.specs()];
  }

  /**
   * Bottlenecks of all views, for a loss that makes the logits itself.
   *
   * @param crops Images per crop size, [n, C, H, W], view-major, global ones first.
   * @returns The L2-normalised bottleneck [Σ n, bottleneckDim], the last layer, features [Σ n, D], and
   * `backward(dBottleneck, more)`, which fills the gradients of all but the last layer; `more` may add to the
   * gradient of the features [Σ n, D] before it goes on.
   */
  bottleneck(
    gpu: Gpu,
    params: Parameters,
    crops: readonly Tensor[],
    options: ViTForwardOptions = {},
  ): {
    bottleneck: Tensor;
    lastLayer: LastLayer;
    features: Tensor;
    backward(dBottleneck: Tensor, more?: (dFeatures: Tensor) => void): void;
  } {
    const backbone = this.vit.forward(gpu, params, crops, options);
    const head = this.head.bottleneck(gpu, params, backbone.y, options);
    return {
      bottleneck: head.y,
      lastLayer: head.lastLayer,
      features: backbone.y,
      backward(dBottleneck, more) {
        const dFeatures = head.backward(dBottleneck);
        more?.(dFeatures);
        backbone.backward(dFeatures);
      },
    };
  }

  /**
   * Logits of all views.
   *
   * @param crops Images per crop size, [n, C, H, W], view-major, global ones first.
   * @returns logits [Σ n, K], features [Σ n, D], and `backward(dLogits)`, which fills the gradients.
   */
  forward(
    gpu: Gpu,
    params: Parameters,
    crops: readonly Tensor[],
    options: ViTForwardOptions = {},
  ): { logits: Tensor; features: Tensor; backward(dLogits: Tensor): void } {
    const backbone = this.vit.forward(gpu, params, crops, options);
    const head = this.head.forward(gpu, params, backbone.y, options);
    return {
      logits: head.y,
      features: backbone.y,
      backward: (dLogits) => void backbone.backward(head.backward(dLogits)),
    };
  }
}
