/**
 * Names of timm where they are not ours: ours are those of its plain vision transformer.
 *
 * @module
 */
import type { NameTable } from "./pairs.ts";

/** `VisionTransformer` with `mlp_layer=SwiGLUPacked`. */
export const TIMM_VIT: NameTable = [
  ["blocks.#.mlp.w12.", "blocks.#.mlp.fc1."],
  ["blocks.#.mlp.w3.", "blocks.#.mlp.fc2."],
];

/** `Eva` with rotary positions: DINOv3. Its keys have no bias. */
export const TIMM_EVA: NameTable = [
  ["blocks.#.attn.qkv.bias", "blocks.#.attn.q_bias", "", "blocks.#.attn.v_bias"],
  ["blocks.#.ls1.gamma", "blocks.#.gamma_1"],
  ["blocks.#.ls2.gamma", "blocks.#.gamma_2"],
  ["blocks.#.mlp.w12.", "blocks.#.mlp.fc1_g.", "blocks.#.mlp.fc1_x."],
  ["blocks.#.mlp.w3.", "blocks.#.mlp.fc2."],
];
