/**
 * Names of Hugging Face's transformers: `ViTModel`, `Dinov2Model`, `Dinov2WithRegistersModel`, `DINOv3ViTModel`,
 * `ResNetModel`.
 *
 * @module
 */
import type { NameTable } from "./pairs.ts";

/** Of `ViTModel` and `Dinov2Model`. */
const EMBEDDINGS: NameTable = [
  ["cls_token", "embeddings.cls_token"],
  ["mask_token", "embeddings.mask_token"],
  ["reg_token", "embeddings.register_tokens"],
  ["pos_embed", "embeddings.position_embeddings"],
  ["patch_embed.proj.", "embeddings.patch_embeddings.projection."],
  ["norm.", "layernorm."],
  [
    "blocks.#.attn.qkv.",
    "encoder.layer.#.attention.attention.query.",
    "encoder.layer.#.attention.attention.key.",
    "encoder.layer.#.attention.attention.value.",
  ],
  ["blocks.#.attn.proj.", "encoder.layer.#.attention.output.dense."],
];

/** `ViTModel`: plain vision transformers, DINO's too. */
export const HF_VIT: NameTable = [
  ...EMBEDDINGS,
  ["blocks.#.norm1.", "encoder.layer.#.layernorm_before."],
  ["blocks.#.norm2.", "encoder.layer.#.layernorm_after."],
  ["blocks.#.mlp.fc1.", "encoder.layer.#.intermediate.dense."],
  ["blocks.#.mlp.fc2.", "encoder.layer.#.output.dense."],
];

/** `Dinov2Model` and `Dinov2WithRegistersModel`. */
export const HF_DINOV2: NameTable = [
  ...EMBEDDINGS,
  ["blocks.#.norm1.", "encoder.layer.#.norm1."],
  ["blocks.#.norm2.", "encoder.layer.#.norm2."],
  ["blocks.#.ls1.gamma", "encoder.layer.#.layer_scale1.lambda1"],
  ["blocks.#.ls2.gamma", "encoder.layer.#.layer_scale2.lambda1"],
  ["blocks.#.mlp.fc1.", "encoder.layer.#.mlp.fc1."],
  ["blocks.#.mlp.fc2.", "encoder.layer.#.mlp.fc2."],
  ["blocks.#.mlp.w12.", "encoder.layer.#.mlp.weights_in."],
  ["blocks.#.mlp.w3.", "encoder.layer.#.mlp.weights_out."],
];

/** `DINOv3ViTModel` with a gated MLP: `up_proj` and `down_proj` are the second half of w12, and w3. */
export const HF_DINOV3: NameTable = [
  ["cls_token", "embeddings.cls_token"],
  ["mask_token", "embeddings.mask_token"],
  ["reg_token", "embeddings.register_tokens"],
  ["patch_embed.proj.", "embeddings.patch_embeddings."],
  ["norm.", "norm."],
  ["blocks.#.norm1.", "layer.#.norm1."],
  ["blocks.#.norm2.", "layer.#.norm2."],
  [
    "blocks.#.attn.qkv.",
    "layer.#.attention.q_proj.",
    "layer.#.attention.k_proj.",
    "layer.#.attention.v_proj.",
  ],
  ["blocks.#.attn.proj.", "layer.#.attention.o_proj."],
  ["blocks.#.ls1.gamma", "layer.#.layer_scale1.lambda1"],
  ["blocks.#.ls2.gamma", "layer.#.layer_scale2.lambda1"],
  ["blocks.#.mlp.w12.", "layer.#.mlp.gate_proj.", "layer.#.mlp.up_proj."],
  ["blocks.#.mlp.w3.", "layer.#.mlp.down_proj."],
];

/** The same with a plain MLP. */
export const HF_DINOV3_PLAIN: NameTable = [
  ["blocks.#.mlp.fc1.", "layer.#.mlp.up_proj."],
  ["blocks.#.mlp.fc2.", "layer.#.mlp.down_proj."],
  ...HF_DINOV3.filter(([ours]) => !ours.includes(".mlp.")),
];

/** The bias of a key that is not stored, as it is 0: before the row of the whole. */
export const HF_DINOV3_NO_KEY: NameTable = [
  ["blocks.#.attn.qkv.bias", "layer.#.attention.q_proj.bias", "", "layer.#.attention.v_proj.bias"],
];
