/**
 * Keys of the model.
 *
 * @module
 */
import {
  CONTRASTIVE_DEFAULTS,
  HEAD_DEFAULTS,
  POS_INTERPS,
  VIT_DEFAULTS,
} from "../model/defaults.ts";
import { FEATURES } from "../model/feature.ts";
import { TRANSFORMERS } from "./backbones.ts";
import {
  BELOW_ONE,
  BOOLEAN,
  COUNT,
  MOST_CHANNELS,
  NULL,
  POSITIVE,
  PROTOTYPES,
  SIDE,
  ZERO_OR_MORE,
} from "./kinds.ts";

const NAMED: string = Object.entries(TRANSFORMERS)
  .map(([name, { dim, depth, heads }]) => `${name} (dim ${dim}, depth ${depth}, heads ${heads})`)
  .join(", ");

/** Width of a layer: four times that of the widest transformer there is. */
const WIDTH = { ...COUNT, maximum: 65536 } as const;

/** The keys of section `model`. */
export const MODEL_KEYS = {
  backbone: [
    {
      enum: [
        ...["vit_tiny", "vit_small", "vit_base", "vit_large", "vit_giant2", "custom"] as const,
        ...["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"] as const,
      ],
    },
    "vit_small",
    `Vision transformer: ${NAMED}, or custom, which needs \`dim\`, \`depth\` and \`heads\`; or a ResNet as torchvision has it, which ignores \`patch_size\`, \`mlp_ratio\`, \`drop_path_rate\`, \`pos_interp\`, \`rope_base\` and \`norm_eps\`.`,
    "arch",
  ],
  patch_size: [SIDE, 16, "Side of a patch in pixels."],
  dim: [
    { ...WIDTH, also: NULL, derived: "the width of `model.backbone`" },
    null,
    "Width D of a token.",
    "embed_dim",
  ],
  depth: [
    { ...COUNT, maximum: 256, also: NULL, derived: "the depth of `model.backbone`" },
    null,
    "Number of transformer blocks.",
  ],
  heads: [
    { ...WIDTH, also: NULL, derived: "the number of heads of `model.backbone`" },
    null,
    "Attention heads per block.",
    "num_heads",
  ],
  mlp_ratio: [
    { ...POSITIVE, maximum: 1024 },
    VIT_DEFAULTS.mlpRatio,
    "Hidden width of a block's MLP over `model.dim`.",
  ],
  mlp_hidden_dim: [
    { ...WIDTH, nullable: true },
    null,
    "Hidden width of a block's MLP in its place; null is `model.mlp_ratio` × `model.dim`. DINOv2's giant has 4096.",
  ],
  mlp: [
    { enum: ["gelu", "swiglu"] },
    VIT_DEFAULTS.mlp,
    "A block's MLP: `gelu` is two layers with GELU between; `swiglu` multiplies the two halves of a first layer of twice the hidden width, one of them through SiLU, as DINOv2's giant and DINOv3's larger models do.",
    "ffn_layer ffn",
  ],
  in_chans: [
    { ...COUNT, maximum: MOST_CHANNELS },
    VIT_DEFAULTS.inChans,
    "Channels of a picture: 3 are red, green and blue, 1 is gray, 4 are red, green, blue and alpha; other numbers are for data sets of your own.",
    "channels in_channels",
  ],
  class_token: [
    BOOLEAN,
    VIT_DEFAULTS.classToken,
    "Has a class token. Without one, features are means of patch tokens.",
  ],
  registers: [
    { ...ZERO_OR_MORE, maximum: 1024 },
    VIT_DEFAULTS.registers,
    "Register tokens beside the class token, which keep what belongs to no patch; DINOv2 and DINOv3 have 4. They are no part of a feature.",
    "num_register_tokens reg_tokens n_storage_tokens",
  ],
  layer_scale: [
    { ...POSITIVE, nullable: true },
    VIT_DEFAULTS.layerScale,
    "Initial value of LayerScale, the learned factors of what each branch of a block adds; DINOv2 uses 1e-5. Null has none.",
    "layerscale init_values layerscale_init",
  ],
  pos_embed: [
    { enum: ["learned", "rope"] },
    VIT_DEFAULTS.posEmbed,
    "Where patches lie: `learned` adds an embedding to each, resampled for other sizes; `rope` rotates queries and keys by their place, as DINOv3 does, and learns nothing.",
    "pos_embed_type",
  ],
  rope_base: [
    POSITIVE,
    VIT_DEFAULTS.ropeBase,
    "Base of the periods of `model.pos_embed: rope`.",
    "pos_embed_rope_base rope_theta",
  ],
  qkv_bias: [
    { enum: ["all", "none", "no_key"] },
    VIT_DEFAULTS.qkvBias,
    "Which of queries, keys and values have a bias; `no_key` keeps that of the keys at 0, as DINOv3 does.",
  ],
  fc_norm: [
    BOOLEAN,
    VIT_DEFAULTS.fcNorm,
    "The final norm is of features, after the mean of patch tokens instead of before, as in timm's models that pool; patch tokens have none then.",
    "use_fc_norm",
  ],
  norm_eps: [
    { ...POSITIVE, maximum: 1 },
    VIT_DEFAULTS.normEps,
    "What layer norms add to the variance.",
    "layer_norm_eps",
  ],
  feature: [
    { enum: FEATURES },
    "class",
    "What a feature is, of the tokens after the final norm: `class` is the class token; `mean` the mean of the patch tokens; `quad` patch tokens averaged over 2 × 2 cells, side by side (4 D); `grid` over 4 × 4 cells (16 D); `class+mean` the class token and the mean (2 D). DINO's head reads it, and it is read out where `evaluation.feature` says nothing else.",
    "pooling global_pool",
  ],
  drop_path_rate: [
    BELOW_ONE,
    0.1,
    "Stochastic depth of the student: rises linearly from 0 in the first block to this in the last.",
  ],
  init_std: [
    POSITIVE,
    VIT_DEFAULTS.initStd,
    "Standard deviation of the initial weights of linear layers. DINO's is made for widths of 384 and more; narrow models pass little on at the start and learn sooner with more, such as 0.4 / √dim.",
  ],
  pos_interp: [
    { enum: POS_INTERPS },
    VIT_DEFAULTS.posInterp,
    "How the position embedding is resampled for other sizes, such as local views: `offset` steps by grid / (n + 0.1), as facebookresearch/dino does, and DINOv2 without registers; `size` by grid / n, as Hugging Face does; `antialias` by grid / n with antialiasing, as timm does, and DINOv2 with registers; `offset_antialias` has both.",
  ],
  freeze_blocks: [
    { ...ZERO_OR_MORE, maximum: 256 },
    0,
    "Blocks, from the first one on, that are not trained, and the patch, position and token embeddings with them: no gradients, no moments, no backward pass. 0 trains all. For given weights (`--weights`).",
    "frozen_blocks freeze_layers",
  ],
  projection_hidden_dim: [
    WIDTH,
    HEAD_DEFAULTS.hiddenDim,
    "Hidden width of the DINO head.",
    "hidden_dim",
  ],
  projection_bottleneck_dim: [
    WIDTH,
    HEAD_DEFAULTS.bottleneckDim,
    "Width of the head's L2-normalised bottleneck.",
    "bottleneck_dim",
  ],
  projection_output_dim: [
    { ...PROTOTYPES, minimum: 2 },
    65536,
    "K: number of prototypes, the head's outputs.",
    "out_dim num_prototypes",
  ],
  projection_layers: [
    { ...COUNT, maximum: 64 },
    HEAD_DEFAULTS.layers,
    "Linear layers of the head up to its bottleneck.",
    "nlayers",
  ],
  use_weight_norm: [
    BOOLEAN,
    HEAD_DEFAULTS.useWeightNorm,
    "Normalise the rows of the head's last layer; false makes it a plain linear layer without bias.",
  ],
  norm_last_layer: [
    BOOLEAN,
    HEAD_DEFAULTS.normLastLayer,
    "Keep the gain of the weight-normalised last layer fixed at 1; false trains it.",
  ],
  contrastive_hidden_dim: [
    WIDTH,
    CONTRASTIVE_DEFAULTS.hiddenDim,
    "Hidden width of the contrastive term's projector.",
  ],
  contrastive_output_dim: [
    WIDTH,
    CONTRASTIVE_DEFAULTS.outDim,
    "Width of its L2-normalised output.",
  ],
  contrastive_layers: [
    { ...COUNT, maximum: 64 },
    CONTRASTIVE_DEFAULTS.layers,
    "Its linear layers.",
  ],
} as const;
