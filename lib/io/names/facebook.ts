/**
 * Names of facebookresearch's dino, dinov2 and dinov3 where they are not ours: dino's all are.
 *
 * @module
 */
import type { NameTable } from "./pairs.ts";

/** dinov2. */
export const FB_DINOV2: NameTable = [["reg_token", "register_tokens"]];

/** dinov3; a gated MLP is stored in two. */
export const FB_DINOV3: NameTable = [
  ["reg_token", "storage_tokens"],
  ["blocks.#.mlp.w12.", "blocks.#.mlp.w1.", "blocks.#.mlp.w2."],
];
