/**
 * Layer-wise decay of the learning rate.
 *
 * @module
 */
import { blockOf } from "../model/parts.ts";

/**
 * Factors of the learning rate that fall from the last block to the first: d^(depth + 1 − l) in layer l, which is 0 for
 * the embedding (patches, positions, tokens), i for block i from 1, and depth + 1 for the final norm and every head
 * (Bao et al. 2022, BEiT, arXiv:2106.08254, section 3.3 and its published code; DINOv2 pre-trains with 0.9).
 *
 * @param decay d, 1 where all layers learn at one rate.
 * @param depth Blocks of the model.
 * @returns The factor of a parameter, by its name.
 *
 * @example
 * ```ts
 * import { AdamW, layerDecay } from "@hatchling/hatchling/optim";
 *
 * const rateScale = layerDecay(0.9, 12); // for the options of AdamW
 * console.assert(rateScale("head.mlp.0.weight") === 1 && rateScale("blocks.11.norm1.weight") === 0.9);
 * console.assert(rateScale("pos_embed") === 0.9 ** 13);
 * ```
 */
export function layerDecay(decay: number, depth: number): (name: string) => number {
  return (name) => {
    return decay ** (depth - (blockOf(name) ?? depth));
  };
}
