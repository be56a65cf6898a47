/** Published checkpoints by name: what they hold, and what they are. */
import {
  BASE,
  dinoHead,
  dinov2,
  dinov3,
  GIANT2,
  hfDinov2,
  hfDinov3,
  hfVit,
  LARGE,
  prefixed,
  resnet,
  type Shapes,
  SMALL,
  timmDinov3,
  timmVit,
} from "./published.ts";

/** A checkpoint, and what must be said of it. */
export interface Checkpoint {
  shapes: Shapes;
  /** Keys of section `model`. */
  model: Record<string, unknown>;
  /** Size of its pictures. */
  imageSize?: number;
  /** Of its mean, the first number. */
  mean?: number;
  /** Tensors that are not taken, by their endings. */
  unused?: RegExp;
}

const P16 = { patch: 16, grid: 14 }, P8 = { patch: 8, grid: 28 }, P14 = { patch: 14, grid: 37 };
const V3 = { patch: 16, grid: 0, registers: 4 };
/** Hidden widths of the gated MLPs: two thirds of four, or for S+ of six, times the width, in eights. */
const G2 = { ...GIANT2, gated: 4096 }, PLUS = { ...SMALL, gated: 1536 };

const dino = {
  layer_scale: null,
  registers: 0,
  pos_embed: "learned",
  qkv_bias: "all",
  norm_eps: 1e-6,
};
const v2 = {
  layer_scale: 1e-5,
  pos_embed: "learned",
  patch_size: 14,
  qkv_bias: "all",
  norm_eps: 1e-6,
};
const v3 = { layer_scale: 1e-5, pos_embed: "rope", patch_size: 16, registers: 4, norm_eps: 1e-5 };
const small = { backbone: "vit_small", dim: 384, depth: 12, heads: 6, class_token: true };
const base = { backbone: "vit_base", dim: 768, depth: 12, heads: 12, class_token: true };
const large = { backbone: "vit_large", dim: 1024, depth: 24, heads: 16, class_token: true };
const giant = {
  backbone: "vit_giant2",
  dim: 1536,
  depth: 40,
  heads: 24,
  mlp: "swiglu",
  mlp_hidden_dim: 4096,
};
const MASK = /mask_token$/, V3_ASIDE = /mask_token$|bias_mask$|rope_embed\.periods$/;

/** A training checkpoint of facebookresearch/dino. */
const dinoTraining: Shapes = {
  ...prefixed("student.module.backbone.", timmVit({ ...SMALL, ...P16 })),
  ...dinoHead("student.module.head", 384),
  ...prefixed("teacher.backbone.", timmVit({ ...SMALL, ...P16 })),
  ...dinoHead("teacher.head", 384),
  "optimizer.state.0.exp_avg": [1, 1, 384],
  "optimizer.state.0.exp_avg_sq": [1, 1, 384],
  "dino_loss.center": [1, 65536],
};

/** DINOv2's blocks in chunks, as it trains them. */
const chunked = (shapes: Shapes) =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name.replace(/^blocks\.(\d+)\./, (_, i) => `blocks.${Math.floor(i / 3)}.${i}.`),
      shape,
    ]),
  );

/** torchvision's files. */
const RESNETS: Readonly<Record<number, string>> = {
  18: "resnet18-f37072fd.pth",
  34: "resnet34-b627a593.pth",
  50: "resnet50-0676ba61.pth",
  101: "resnet101-63fe2227.pth",
  152: "resnet152-394f9c45.pth",
};

/** By the name of the file, or of the folder that it is published as. */
export const CHECKPOINTS: Readonly<Record<string, Checkpoint>> = {
  "dino_deitsmall16_pretrain.pth": {
    shapes: timmVit({ ...SMALL, ...P16 }),
    model: { ...dino, ...small, patch_size: 16, pos_interp: "offset" },
  },
  "dino_deitsmall8_pretrain.pth": {
    shapes: timmVit({ ...SMALL, ...P8 }),
    model: { ...dino, ...small, patch_size: 8, pos_interp: "offset" },
  },
  "dino_vitbase16_pretrain.pth": {
    shapes: timmVit({ ...BASE, ...P16 }),
    model: { ...dino, ...base, patch_size: 16 },
  },
  "dino_vitbase8_pretrain.pth": {
    shapes: timmVit({ ...BASE, ...P8 }),
    model: { ...dino, ...base, patch_size: 8 },
  },
  "dino_deitsmall16_pretrain_full_checkpoint.pth": {
    shapes: dinoTraining,
    model: { ...dino, ...small, patch_size: 16 },
    unused: /^(student|optimizer|dino_loss)\.|^teacher\.head\./,
  },
  "dinov2_vits14_pretrain.pth": {
    shapes: dinov2({ ...SMALL, ...P14 }),
    model: { ...v2, ...small, registers: 0, mlp: "gelu", pos_interp: "offset" },
    unused: MASK,
  },
  "dinov2_vitb14_pretrain.pth": {
    shapes: dinov2({ ...BASE, ...P14 }),
    model: { ...v2, ...base, registers: 0 },
    unused: MASK,
  },
  "dinov2_vitl14_pretrain.pth": {
    shapes: dinov2({ ...LARGE, ...P14 }),
    model: { ...v2, ...large, registers: 0 },
    unused: MASK,
  },
  "dinov2_vitg14_pretrain.pth": {
    shapes: dinov2({ ...G2, ...P14 }),
    model: { ...v2, ...giant, registers: 0, pos_interp: "offset" },
    unused: MASK,
  },
  "dinov2_vits14_reg4_pretrain.pth": {
    shapes: dinov2({ ...SMALL, ...P14, registers: 4 }),
    model: { ...v2, ...small, registers: 4, pos_interp: "antialias" },
    unused: MASK,
  },
  "dinov2_vitb14_reg4_pretrain.pth": {
    shapes: dinov2({ ...BASE, ...P14, registers: 4 }),
    model: { ...v2, ...base, registers: 4 },
    unused: MASK,
  },
  "dinov2_vitl14_reg4_pretrain.pth": {
    shapes: dinov2({ ...LARGE, ...P14, registers: 4 }),
    model: { ...v2, ...large, registers: 4 },
    unused: MASK,
  },
  "dinov2_vitg14_reg4_pretrain.pth": {
    shapes: dinov2({ ...G2, ...P14, registers: 4 }),
    model: { ...v2, ...giant, registers: 4 },
    unused: MASK,
  },
  "dinov2, a teacher_checkpoint.pth": {
    shapes: {
      ...prefixed("teacher.backbone.", chunked(dinov2({ ...SMALL, ...P14 }))),
      ...dinoHead("teacher.dino_head", 384),
      ...dinoHead("teacher.ibot_head", 384),
    },
    model: { ...v2, ...small, registers: 0, pos_interp: "offset" },
    unused: /mask_token$|^teacher\.(dino|ibot)_head\./,
  },
  "dinov3_vits16_pretrain_lvd1689m.pth": {
    shapes: dinov3({ ...SMALL, ...V3 }),
    model: { ...v3, ...small, mlp: "gelu", qkv_bias: "no_key" },
    unused: V3_ASIDE,
  },
  "dinov3_vits16plus_pretrain_lvd1689m.pth": {
    shapes: dinov3({ ...PLUS, ...V3 }),
    model: { ...v3, ...small, mlp: "swiglu", mlp_hidden_dim: 1536, qkv_bias: "no_key" },
    unused: V3_ASIDE,
  },
  "dinov3_vitb16_pretrain_lvd1689m.pth": {
    shapes: dinov3({ ...BASE, ...V3 }),
    model: { ...v3, ...base, qkv_bias: "no_key" },
    unused: V3_ASIDE,
  },
  "dinov3_vitl16_pretrain_lvd1689m.pth": {
    shapes: dinov3({ ...LARGE, ...V3 }),
    model: { ...v3, ...large, mlp: "gelu", qkv_bias: "no_key" },
    unused: V3_ASIDE,
  },
  "dinov3_vitl16_pretrain_sat493m.pth": {
    shapes: {
      ...dinov3({ ...LARGE, ...V3 }),
      "local_cls_norm.weight": [1024],
      "local_cls_norm.bias": [1024],
    },
    model: { ...v3, ...large, qkv_bias: "no_key" },
    unused: /mask_token$|bias_mask$|rope_embed\.periods$|^local_cls_norm\./,
  },
  "timm/vit_small_patch16_224.dino": {
    shapes: timmVit({ ...SMALL, ...P16 }),
    model: { ...dino, ...small, patch_size: 16 },
  },
  "timm/vit_base_patch16_224": {
    shapes: { ...timmVit({ ...BASE, ...P16 }), "head.weight": [1000, 768], "head.bias": [1000] },
    model: { ...dino, ...base, pos_interp: "antialias" },
    unused: /^head\./,
  },
  "timm/vit_small_patch14_dinov2": {
    shapes: timmVit({ ...SMALL, ...P14 }, { layerScale: true }),
    model: { ...v2, ...small, registers: 0, pos_interp: "antialias" },
  },
  "timm/vit_base_patch14_reg4_dinov2": {
    shapes: timmVit({ ...BASE, ...P14, registers: 4 }, { layerScale: true, noEmbedClass: true }),
    model: { ...v2, ...base, registers: 4, pos_interp: "antialias" },
  },
  "timm/vit_giant_patch14_reg4_dinov2": {
    shapes: timmVit({ ...G2, ...P14, registers: 4 }, { layerScale: true, noEmbedClass: true }),
    model: { ...v2, ...giant, registers: 4 },
  },
  "timm/vit_small_patch16_dinov3": {
    shapes: timmDinov3({ ...SMALL, ...V3 }),
    model: { ...v3, ...small, mlp: "gelu", qkv_bias: "none", feature: "class" },
  },
  "timm/vit_small_plus_patch16_dinov3_qkvb": {
    shapes: timmDinov3({ ...PLUS, ...V3 }, true),
    model: { ...v3, ...small, mlp: "swiglu", mlp_hidden_dim: 1536, qkv_bias: "no_key" },
  },
  "facebook/dino-vits16": {
    shapes: hfVit({ ...SMALL, ...P16 }),
    model: { ...dino, ...small, norm_eps: 1e-12, pos_interp: "size" },
  },
  "google/vit-base-patch16-224": {
    shapes: {
      ...prefixed("vit.", hfVit({ ...BASE, ...P16 })),
      "classifier.weight": [1000, 768],
      "classifier.bias": [1000],
    },
    model: { ...dino, ...base, norm_eps: 1e-12 },
    mean: 0.5,
    unused: /^classifier\./,
  },
  "google/vit-base-patch16-224-in21k": {
    shapes: {
      ...hfVit({ ...BASE, ...P16 }),
      "pooler.dense.weight": [768, 768],
      "pooler.dense.bias": [768],
    },
    model: { ...dino, ...base, norm_eps: 1e-12 },
    mean: 0.5,
    unused: /^pooler\./,
  },
  "facebook/dinov2-small": {
    shapes: hfDinov2({ ...SMALL, ...P14 }),
    model: { ...v2, ...small, registers: 0, pos_interp: "size" },
    unused: MASK,
  },
  "facebook/dinov2-giant": {
    shapes: hfDinov2({ ...G2, ...P14 }),
    model: { ...v2, ...giant, registers: 0 },
    unused: MASK,
  },
  "facebook/dinov2-with-registers-small": {
    shapes: hfDinov2({ ...SMALL, ...P14, registers: 4 }),
    model: { ...v2, ...small, registers: 4, pos_interp: "antialias" },
    unused: MASK,
  },
  "facebook/dinov3-vits16-pretrain-lvd1689m": {
    shapes: hfDinov3({ ...SMALL, ...V3 }),
    model: { ...v3, ...small, mlp: "gelu", qkv_bias: "no_key" },
    unused: MASK,
  },
  "facebook/dinov3-vits16plus-pretrain-lvd1689m": {
    shapes: hfDinov3({ ...PLUS, ...V3 }),
    model: { ...v3, ...small, mlp: "swiglu", mlp_hidden_dim: 1536, qkv_bias: "no_key" },
    unused: MASK,
  },
  ...Object.fromEntries(
    ([[18, [2, 2, 2, 2]], [34, [3, 4, 6, 3]], [50, [3, 4, 6, 3]], [101, [3, 4, 23, 3]], [
      152,
      [3, 8, 36, 3],
    ]] as const).map(([layers, stages]) => [RESNETS[layers], {
      shapes: resnet(stages, layers >= 50),
      model: { backbone: `resnet${layers}`, in_chans: 3 },
      unused: /num_batches_tracked$|^fc\./,
    }]),
  ),
};
