/**
 * timm's vision transformers: `VisionTransformer`, and `Eva` for rotary positions (DINOv3).
 *
 * @module
 */
import type { Config } from "../../config.ts";
import { TIMM_EVA, TIMM_VIT } from "../../io/names/timm.ts";
import type { Feature } from "../../model/feature.ts";
import type { VitShape } from "../shape.ts";
import { type Layout, ratioFor, rename, type Tensors, withoutMaskToken } from "./layout.ts";

/** Arguments of a model in Python, as values that JSON has too. */
type Arguments = Record<string, number | string | boolean | null>;

/** What models have where nothing is said. */
const VIT = {
  img_size: 224,
  patch_size: 16,
  in_chans: 3,
  embed_dim: 768,
  depth: 12,
  num_heads: 12,
  mlp_ratio: 4,
  qkv_bias: true,
  init_values: null,
  class_token: true,
  global_pool: "token",
  no_embed_class: false,
  reg_tokens: 0,
} satisfies Arguments;

const SMALL = { embed_dim: 384, num_heads: 6 };
const LARGE = { embed_dim: 1024, depth: 24, num_heads: 16 };
const DINOV2 = { img_size: 518, patch_size: 14, init_values: 1e-5 };
const REGISTERS = { reg_tokens: 4, no_embed_class: true };
/** SwiGLU is stored in one matrix, whose width counts as the hidden one. */
const GIANT = { embed_dim: 1536, depth: 40, num_heads: 24, mlp_ratio: 8192 / 1536 };

/** Models by name, the general one first. */
const MODELS: Readonly<Record<string, Arguments>> = {
  vit_base_patch16_224: {},
  vit_base_patch8_224: { patch_size: 8 },
  vit_base_patch32_224: { patch_size: 32 },
  vit_tiny_patch16_224: { embed_dim: 192, num_heads: 3 },
  vit_small_patch16_224: SMALL,
  vit_small_patch8_224: { ...SMALL, patch_size: 8 },
  vit_small_patch32_224: { ...SMALL, patch_size: 32 },
  vit_large_patch16_224: LARGE,
  vit_small_patch14_dinov2: { ...SMALL, ...DINOV2 },
  vit_base_patch14_dinov2: DINOV2,
  vit_large_patch14_dinov2: { ...LARGE, ...DINOV2 },
  vit_small_patch14_reg4_dinov2: { ...SMALL, ...DINOV2, ...REGISTERS },
  vit_base_patch14_reg4_dinov2: { ...DINOV2, ...REGISTERS },
  vit_large_patch14_reg4_dinov2: { ...LARGE, ...DINOV2, ...REGISTERS },
};

/** Those whose MLP is SwiGLU. */
const GATED: Readonly<Record<string, Arguments>> = {
  vit_giant_patch14_dinov2: { ...GIANT, ...DINOV2 },
  vit_giant_patch14_reg4_dinov2: { ...GIANT, ...DINOV2, ...REGISTERS },
};

const EVA = {
  img_size: 256,
  patch_size: 16,
  in_chans: 3,
  embed_dim: 384,
  depth: 12,
  num_heads: 6,
  mlp_ratio: 4,
  init_values: 1e-5,
  class_token: true,
  global_pool: "avg",
  num_reg_tokens: 4,
  use_fc_norm: false,
  rope_temperature: 100,
} satisfies Arguments;
const EVA_SIZES: Readonly<Record<string, Arguments>> = {
  small: {},
  base: { embed_dim: 768, num_heads: 12 },
  large: LARGE,
};
const EVA_GATED: Readonly<Record<string, Arguments>> = {
  small_plus: { swiglu_align_to: 8 },
  huge_plus: { embed_dim: 1280, depth: 32, num_heads: 20, swiglu_align_to: 8 },
};

/** A model in timm's layout. */
export function timmLayout(tensors: Tensors, shape: VitShape, feature: Feature): Layout {
  const mean = feature === "mean" || !shape.classToken || shape.fcNorm;
  const common: Arguments = {
    img_size: shape.imageSize,
    patch_size: shape.patchSize,
    in_chans: shape.inChans,
    embed_dim: shape.dim,
    depth: shape.depth,
    num_heads: shape.heads,
    init_values: shape.layerScale,
    class_token: shape.classToken,
    global_pool: mean ? "avg" : "token",
  };
  const [layout, eps] = shape.posEmbed === "rope"
    ? [eva(tensors, shape, common), 1e-5]
    : [plain(tensors, shape, common), 1e-6];
  const { name, args } = layout;
  const python = Object.entries(args).map(([key, value]) => `${key}=${pythonOf(value)}`);
  const other = shape.normEps !== eps;
  if (other) python.push(`norm_layer=partial(torch.nn.LayerNorm, eps=${shape.normEps})`);
  const model = `timm.create_model(${[`"${name}"`, "num_classes=0", ...python].join(", ")})`;
  return {
    model,
    load: [
      ...(other ? ["from functools import partial", "import torch"] : []),
      "import timm",
      "from safetensors.torch import load_file",
      `model = ${model}`,
      'model.load_state_dict(load_file("FOLDER/model.safetensors"), strict=True)',
    ].join("\n"),
    tensors: layout.tensors,
    config: other ? undefined : { architecture: name, num_features: shape.dim, model_args: args },
    notes: [
      ...(other
        ? [`timm's config.json cannot say the epsilon of the norms (${shape.normEps})`]
        : []),
      ...(["quad", "grid", "class+mean"].includes(feature)
        ? [
          `model(x) gives the class token; the feature ${feature} is made of model.forward_features(x)`,
        ]
        : []),
    ],
  };
}

/** timm's config.json, for `timm.create_model("local-dir:FOLDER", pretrained=True)`. */
export function timmConfig(
  config: Record<string, unknown>,
  { augmentation, model }: Config,
  license?: string,
): Record<string, unknown> {
  const { normalize_mean: mean, normalize_std: std, global_crop_size: side } = augmentation;
  return {
    ...config,
    num_classes: 0,
    pretrained_cfg: {
      tag: "hatchling",
      input_size: [model.in_chans, side, side],
      fixed_input_size: true,
      interpolation: "bicubic",
      crop_pct: 1,
      crop_mode: "center",
      mean,
      std,
      num_classes: 0,
      pool_size: null,
      ...(license === undefined ? {} : { license }),
    },
  };
}

interface Found {
  name: string;
  args: Arguments;
  tensors: Tensors;
}

function plain(tensors: Tensors, shape: VitShape, common: Arguments): Found {
  const { dim, mlp, mlpHiddenDim, qkvBias, registers, classToken, fcNorm } = shape;
  const gated = mlp === "swiglu";
  const wanted: Arguments = {
    ...common,
    mlp_ratio: ratioFor((gated ? 2 : 1) * mlpHiddenDim, dim),
    qkv_bias: qkvBias !== "none",
    reg_tokens: registers,
    no_embed_class: registers > 0,
  };
  const { name, args } = nearest(VIT, gated ? GATED : MODELS, wanted);
  // timm's own default is a norm after the mean.
  if (common.global_pool === "avg" && !fcNorm) args.fc_norm = false;
  if (common.global_pool === "token" && fcNorm) args.fc_norm = true;
  const placed = registers && classToken ? withPlacedClass(tensors) : tensors;
  const renamed = rename(withoutMaskToken(placed), TIMM_VIT, "timm's VisionTransformer");
  return { name, args, tensors: renamed };
}

/** With registers, timm's table of positions has no row for the class token, which takes it up instead. */
function withPlacedClass(tensors: Tensors): Tensors {
  const { data: token, shape } = tensors.get("cls_token")!;
  const { data: table, shape: [, positions, dim] } = tensors.get("pos_embed")!;
  return new Map([
    ...tensors,
    ["cls_token", { shape, data: token.map((x, i) => x + table[i]) }],
    ["pos_embed", { shape: [1, positions - 1, dim], data: table.subarray(dim) }],
  ]);
}

function eva(tensors: Tensors, shape: VitShape, common: Arguments): Found {
  const { dim, mlp, mlpHiddenDim, qkvBias, registers, ropeBase, fcNorm } = shape;
  const gated = mlp === "swiglu";
  const wanted: Arguments = {
    ...common,
    mlp_ratio: ratioFor(mlpHiddenDim, dim),
    num_reg_tokens: registers,
    rope_temperature: ropeBase,
    use_fc_norm: fcNorm,
    ...(gated ? { swiglu_align_to: mlpHiddenDim % 8 ? 1 : 8 } : {}),
  };
  const bias = qkvBias === "none" ? "" : "_qkvb";
  const sizes = Object.entries(gated ? EVA_GATED : EVA_SIZES)
    .map(([size, args]): [string, Arguments] => [`vit_${size}_patch16_dinov3${bias}`, args]);
  const { name, args } = nearest(EVA, Object.fromEntries(sizes), wanted);
  const renamed = rename(withoutMaskToken(tensors), TIMM_EVA, "timm's Eva");
  return { name, args, tensors: renamed };
}

/** The model that needs the fewest arguments, and those. */
function nearest(
  defaults: Arguments,
  models: Readonly<Record<string, Arguments>>,
  wanted: Arguments,
): { name: string; args: Arguments } {
  const found = Object.entries(models).map(([name, own]) => {
    const has: Arguments = { ...defaults, ...own };
    const args = Object.entries(wanted).filter(([key, value]) => has[key] !== value);
    // How far a scale was from 0 at first makes no difference: whether there is one does.
    const needed = args.filter(([key, value]) => {
      return key !== "init_values" || (has[key] === null) !== (value === null);
    });
    return { name, args: Object.fromEntries(needed) };
  });
  const size = ({ args }: { args: Arguments }) => Object.keys(args).length;
  return found.reduce((best, model) => size(model) < size(best) ? model : best);
}

function pythonOf(value: Arguments[string]): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  return value === null ? "None" : JSON.stringify(value);
}
