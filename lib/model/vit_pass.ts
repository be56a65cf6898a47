/**
 * What a pass through a vision transformer takes and gives.
 *
 * @module
 */
import type { DType, Tensor } from "../gpu.ts";
import type { DropPathSource } from "../ops/rows.ts";
import type { BlockKeep } from "./block.ts";
import type { RunningStats } from "./running_stats.ts";

/** Options of `VisionTransformer.forward`. */
export interface ViTForwardOptions {
  /** Gets `tokens`, `block.<i>`, `attention` (of the last block) and `normed` of the first crop size. */
  trace?: Map<string, Tensor>;
  /**
   * Whose attention a trace gets: `all` tokens' [n, heads, N, N], the default, or the `class` token's [n, heads, 1, N],
   * which large images have room for.
   */
  attentionOf?: "all" | "class";
  /** Is shown `tokens` and `block.<i>` of every crop size, by its index, and `features` when they are made. */
  watch?: (name: string, tensor: Tensor, size?: number) => void;
  /**
   * Drop path factors per block and crop size, [n] each: 0 or 1 / (1 − rate).
   * @internal
   */
  keep?: BlockKeep[][];
  /** Draws drop path factors at the configured rate; for training. */
  dropPath?: DropPathSource;
  /** Also compute the gradient of the images. */
  inputGrad?: boolean;
  /**
   * Keep the input of each block alone for the backward pass, which runs the block again; the last one is kept whole,
   * for it is needed at once. The same gradients, bit by bit.
   */
  recompute?: boolean;
  /**
   * What tokens and all that the blocks keep for the backward pass are stored as; f32 by default. Arithmetic,
   * statistics, gradients and the features themselves are f32 in any case.
   */
  precision?: DType;
  /**
   * [n, patches], u32, of the first crop size: where it is not 0, the mask token stands for the patch. For models with
   * `maskToken`.
   */
  mask?: Tensor;
  /**
   * For training a backbone with batch norm: normalise by each crop size's own batch, and move these. Without them it
   * normalises by the running statistics of its parameters.
   */
  stats?: RunningStats;
}

/** All tokens of the crops of one size. */
export interface CropTokens {
  /** [n, prefix + rows · cols, D] after the final norm, unless that is of features; the class token first. */
  tokens: Tensor;
  /** Patches down and across. */
  grid: [rows: number, cols: number];
  /** Sequences of the sizes before this one. */
  first: number;
  /** Room for their gradient; whoever calls `backward` fills it. */
  gradient: Tensor;
}

/** What `VisionTransformer.tokens` returns. */
export interface ViTTokens {
  /** One for each crop size, in order. */
  crops: CropTokens[];
  /** Fills the gradients of the parameters from those of the tokens. */
  backward(): Tensor[];
}

/** What `VisionTransformer.forward` returns. */
export interface ViTResult {
  /** Class tokens after the final norm, or means of patch tokens, [Σ n, D], crop sizes one after the other. */
  y: Tensor;
  /** Fills the gradients of the parameters; returns those of the crops when `inputGrad` was set. */
  backward(dy: Tensor): Tensor[];
}
