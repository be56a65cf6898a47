/**
 * How the tensors of a backbone are called in a file, told by the names themselves.
 *
 * @module
 */
import { FB_DINOV2, FB_DINOV3 } from "./facebook.ts";
import { HF_DINOV2, HF_DINOV3, HF_DINOV3_NO_KEY, HF_DINOV3_PLAIN, HF_VIT } from "./hugging_face.ts";
import { type NameTable, ourName } from "./pairs.ts";
import { TIMM_EVA, TIMM_VIT } from "./timm.ts";

/** Whose names a file has. */
export type LayoutName =
  | "timm"
  | "timm_eva"
  | "dinov2"
  | "dinov3"
  | "hf_vit"
  | "hf_dinov2"
  | "hf_dinov3"
  | "torchvision";

/** The names of a backbone in a file. */
export interface Layout {
  /** Which one it is. */
  readonly name: LayoutName;
  /** Whose names they are, for messages. */
  readonly title: string;
  /** Where they are not ours. */
  readonly table: NameTable;
  /** Buffers, and parts that change no feature of a backbone in use. */
  readonly ignored: RegExp;
}

/** LayerScale of timm's `Eva`, and of DeiT III. */
const GAMMAS = TIMM_EVA.filter(([, theirs]) => /gamma_[12]$/.test(theirs));

const LAYOUTS: Readonly<Record<LayoutName, Omit<Layout, "name">>> = {
  timm: { title: "timm and facebookresearch/dino", table: [], ignored: /^(head|pre_logits)\./ },
  timm_eva: {
    title: "timm's DINOv3",
    table: TIMM_EVA,
    ignored: /^head\.|^rope\.(periods|freqs|pos_embed)|\.attn\.k_bias$/,
  },
  dinov2: { title: "facebookresearch/dinov2", table: FB_DINOV2, ignored: /^head\./ },
  dinov3: {
    title: "facebookresearch/dinov3",
    table: FB_DINOV3,
    // Of these the last is for local views in training.
    ignored: /^rope_embed\.periods$|\.attn\.qkv\.bias_mask$|^head\.|^local_cls_norm\./,
  },
  hf_vit: { title: "Hugging Face's ViTModel", table: HF_VIT, ignored: /^pooler\./ },
  hf_dinov2: { title: "Hugging Face's Dinov2Model", table: HF_DINOV2, ignored: /^pooler\./ },
  hf_dinov3: {
    title: "Hugging Face's DINOv3ViTModel",
    table: HF_DINOV3,
    ignored: /^rope_embeddings\.(inv_freq|periods)$/,
  },
  torchvision: {
    title: "torchvision's ResNet",
    table: [],
    ignored: /\bnum_batches_tracked$|^fc\./,
  },
};

/**
 * Whose names the tensors of a network are. What nothing speaks against has timm's, which are those of this project.
 *
 * @param shape The shape of a tensor by its name; undefined where there is none.
 */
export function layoutOf(shape: (name: string) => readonly number[] | undefined): Layout {
  const has = (name: string) => shape(name) !== undefined;
  const name = layoutName(has), layout = { name, ...LAYOUTS[name] };
  const { table } = layout;
  if (name === "timm") {
    const [wide = 0] = shape("blocks.0.mlp.fc1.weight") ?? [];
    const [, narrow = 0] = shape("blocks.0.mlp.fc2.weight") ?? [];
    const isGated = wide > 0 && wide === 2 * narrow;
    return {
      ...layout,
      table: [...isGated ? TIMM_VIT : [], ...has("blocks.0.gamma_1") ? GAMMAS : []],
    };
  }
  if (name === "timm_eva" && has("blocks.0.attn.qkv.bias")) {
    return { ...layout, table: table.filter(([ours]) => !ours.endsWith("qkv.bias")) };
  }
  if (name === "hf_dinov3") {
    const whole = has("layer.0.mlp.gate_proj.weight") ? HF_DINOV3 : HF_DINOV3_PLAIN;
    const noKey = has("layer.0.attention.q_proj.bias") && !has("layer.0.attention.k_proj.bias");
    return { ...layout, table: [...noKey ? HF_DINOV3_NO_KEY : [], ...whole] };
  }
  return layout;
}

function layoutName(has: (name: string) => boolean): LayoutName {
  const block = (...names: string[]) => names.some((name) => has(`blocks.0.${name}`));
  if (has("conv1.weight") && has("layer1.0.conv1.weight")) return "torchvision";
  if (has("embeddings.patch_embeddings.weight")) return "hf_dinov3";
  if (has("layer.0.attention.q_proj.weight")) return "hf_dinov3";
  if (has("encoder.layer.0.layer_scale1.lambda1")) return "hf_dinov2";
  if (has("embeddings.cls_token")) return "hf_vit";
  if (has("embeddings.patch_embeddings.projection.weight")) return "hf_vit";
  if (has("storage_tokens") || has("rope_embed.periods")) return "dinov3";
  if (block("mlp.w1.weight", "attn.qkv.bias_mask")) return "dinov3";
  if (block("attn.q_bias", "mlp.fc1_g.weight")) return "timm_eva";
  if (block("gamma_1") && !has("pos_embed")) return "timm_eva";
  if (has("register_tokens") || block("mlp.w12.weight")) return "dinov2";
  if (has("mask_token") && block("ls1.gamma")) return "dinov2";
  return "timm";
}

/** The parameter that a tensor of a file is of, or is a part of, by our name. */
export function parameterOf({ table }: Layout, tensor: string): string {
  return ourName(table, tensor)?.name ?? tensor;
}
