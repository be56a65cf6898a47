/**
 * Hugging Face's transformers: `ViTModel`, `Dinov2Model`, `Dinov2WithRegistersModel`, `DINOv3ViTModel`, whichever has a
 * place for all parts of the model.
 *
 * @module
 */
import {
  HF_DINOV2,
  HF_DINOV3,
  HF_DINOV3_NO_KEY,
  HF_DINOV3_PLAIN,
  HF_VIT,
} from "../../io/names/hugging_face.ts";
import type { VitShape } from "../shape.ts";
import {
  type Layout,
  ratioFor,
  refuse,
  registersIn,
  rename,
  type Tensors,
  withMaskToken,
  withoutMaskToken,
  withScales,
} from "./layout.ts";

/** A model in Hugging Face's layout. */
export function huggingFaceLayout(tensors: Tensors, shape: VitShape): Layout {
  if (!shape.classToken) refuse("Hugging Face's transformers", "no class token");
  if (shape.fcNorm) refuse("Hugging Face's transformers", "a norm after the mean (fc_norm)");
  if (shape.posEmbed === "rope") return dinov3(tensors, shape);
  if (shape.registers || shape.layerScale !== null || shape.mlp === "swiglu") {
    return dinov2(tensors, shape);
  }
  return vit(tensors, shape);
}

/** Keys of every config.json. What is a float and has its default there is left out: JSON cannot tell 1 from 1.0. */
function common(shape: VitShape) {
  return {
    hidden_size: shape.dim,
    num_hidden_layers: shape.depth,
    num_attention_heads: shape.heads,
    hidden_act: "gelu",
    layer_norm_eps: shape.normEps,
    image_size: shape.imageSize,
    patch_size: shape.patchSize,
    num_channels: shape.inChans,
  };
}

function layout(
  name: string,
  type: string,
  tensors: Tensors,
  config: Record<string, unknown>,
  more: { args?: string; notes?: string[] } = {},
): Layout {
  const { args = "", notes = [] } = more;
  return {
    model: `transformers' ${name}`,
    load: [
      `from transformers import AutoImageProcessor, ${name}`,
      `model = ${name}.from_pretrained("FOLDER"${args})`,
      'processor = AutoImageProcessor.from_pretrained("FOLDER")',
    ].join("\n"),
    tensors,
    config: { architectures: [name], model_type: type, ...config },
    notes,
  };
}

function vit(tensors: Tensors, shape: VitShape): Layout {
  const config = {
    ...common(shape),
    intermediate_size: shape.mlpHiddenDim,
    qkv_bias: shape.qkvBias !== "none",
  };
  const renamed = rename(withoutMaskToken(tensors), HF_VIT, "ViTModel");
  return layout("ViTModel", "vit", renamed, config, { args: ", add_pooling_layer=False" });
}

function dinov2(tensors: Tensors, shape: VitShape): Layout {
  const { dim, depth, registers, layerScale, mlp } = shape;
  const name = registers ? "Dinov2WithRegistersModel" : "Dinov2Model";
  const config = {
    ...common(shape),
    mlp_ratio: mlp === "swiglu" ? gatedRatio(shape) : ratioFor(shape.mlpHiddenDim, dim),
    qkv_bias: shape.qkvBias !== "none",
    ...initialScale(layerScale),
    use_swiglu_ffn: mlp === "swiglu",
    ...(registers ? { num_register_tokens: registers } : { use_mask_token: true }),
  };
  const whole = withMaskToken(withScales(tensors, depth, dim), [1, dim]);
  const type = registers ? "dinov2_with_registers" : "dinov2";
  return layout(name, type, rename(whole, HF_DINOV2, name), config, { notes: scaleNotes(shape) });
}

/** The ratio of which transformers makes the hidden width: two thirds, up to a multiple of 8. */
function gatedRatio({ dim, mlpHiddenDim }: VitShape): number {
  const hidden = (ratio: number) =>
    Math.floor((Math.trunc(Math.trunc(dim * ratio) * 2 / 3) + 7) / 8) * 8;
  const exact = ratioFor(Math.ceil(mlpHiddenDim * 1.5), dim);
  for (const ratio of [Math.round(exact), exact]) {
    if (hidden(ratio) === mlpHiddenDim) return ratio;
  }
  return refuse(
    "Dinov2Model",
    `SwiGLU of a hidden width that is no multiple of 8 (${mlpHiddenDim})`,
  );
}

function dinov3(tensors: Tensors, shape: VitShape): Layout {
  const { dim, depth, registers, layerScale, mlp, qkvBias } = shape, name = "DINOv3ViTModel";
  const gated = mlp === "swiglu", keys = qkvBias === "all";
  const config = {
    ...common(shape),
    hidden_act: gated ? "silu" : "gelu",
    intermediate_size: shape.mlpHiddenDim,
    use_gated_mlp: gated,
    query_bias: qkvBias !== "none",
    key_bias: keys,
    value_bias: qkvBias !== "none",
    proj_bias: true,
    mlp_bias: true,
    ...initialScale(layerScale),
    num_register_tokens: registers,
    ...(shape.ropeBase === 100 ? {} : { rope_theta: shape.ropeBase }),
    pos_embed_shift: null,
    pos_embed_jitter: null,
    pos_embed_rescale: null,
  };
  const whole = withMaskToken(withScales(tensors, depth, dim), [1, 1, dim]);
  if (!registers) whole.set("reg_token", { shape: [1, 0, dim], data: new Float32Array() });
  const table = [...(keys ? [] : HF_DINOV3_NO_KEY), ...(gated ? HF_DINOV3 : HF_DINOV3_PLAIN)];
  const notes = scaleNotes(shape);
  return layout(name, "dinov3_vit", rename(whole, table, name), config, { notes });
}

function initialScale(value: number | null) {
  return value === null || Number.isInteger(value) ? {} : { layerscale_value: value };
}

function scaleNotes({ layerScale, registers, posEmbed, mlp }: VitShape): string[] {
  if (layerScale !== null) return [];
  const cause = posEmbed === "rope" ? "rotary positions" : registers ? registersIn(registers) : mlp;
  return [
    `the layout that has ${cause} has LayerScale too: its scales are 1, which changes nothing`,
  ];
}
