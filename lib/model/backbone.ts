/**
 * What a network that turns pictures into features looks like from outside, so that nobody asks which one it is.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import type { Parameters, ParameterSpec } from "./parameters.ts";
import type { ViTForwardOptions, ViTResult, ViTTokens } from "./vit_pass.ts";

/** Tokens of a forward pass, after the final norm where that is of tokens. */
export interface LastTokens {
  /** Patches down and across. */
  patches: readonly [rows: number, cols: number];
  /** All tokens [n, prefix + patches, D] of the last blocks, the last block at the end; none where only classes are read. */
  blocks: readonly Tensor[];
  /** What `forward` gives of the last block [n, D]. */
  classes: Tensor;
}

/** A final norm of features. */
export type FeatureNorm = (
  gpu: Gpu,
  params: Parameters,
  /** [S, F], F a multiple of D: every D of them are normed by themselves. */
  features: Tensor,
) => { y: Tensor; backward(dy: Tensor): Tensor };

/**
 * A backbone: a description without state; its weights are `Parameters`. Pictures [n, C, H, W] become a class token and
 * a grid of others, of width D.
 *
 * @category Model
 */
export interface Backbone {
  /** What it is, for messages: "a vision transformer". */
  readonly kind: string;
  /** Pixels per side of the pictures that it is made for. */
  readonly imageSize: number;
  /** Image channels. */
  readonly inChans: number;
  /** Width D of the tokens. */
  readonly dim: number;
  /** Whether the first token is a class token. */
  readonly hasClass: boolean;
  /** Tokens before the patches: the class token and registers. */
  readonly prefix: number;
  /** The final norm, where it is of features instead of tokens. */
  readonly featureNorm?: FeatureNorm;
  /** Blocks of which `lastTokens` can give the tokens. */
  readonly depth: number;
  /** H and W of pictures are multiples of so many pixels. */
  readonly sizeMultiple: number;
  /** Elements of the largest tensor that a picture of `imageSize` needs in a forward pass. */
  readonly largest: number;
  /** Names, shapes and initial values of the parameters, in checkpoint order. */
  specs(): ParameterSpec[];
  /**
   * Class tokens of all crops, normed; without a class token, the `mean` of the patch tokens.
   *
   * @param crops Pictures [n, C, H, W], one tensor per crop size.
   * @throws {HatchlingError} When pictures do not fit.
   */
  forward(
    gpu: Gpu,
    params: Parameters,
    crops: readonly Tensor[],
    options?: ViTForwardOptions,
  ): ViTResult;
  /** All tokens of all crops, for what reads more than the class token. */
  tokens(
    gpu: Gpu,
    params: Parameters,
    crops: readonly Tensor[],
    options?: ViTForwardOptions,
  ): ViTTokens;
  /** A forward pass over pictures of one size that keeps the tokens of the last `blocks` blocks; 0 keeps none. */
  lastTokens(gpu: Gpu, params: Parameters, images: Tensor, blocks: number): LastTokens;
}
