/**
 * Sections of the model and its loss.
 *
 * @module
 */

import { z } from "./deps.ts";
import {
  belowOne,
  countTo,
  key,
  MOST_CHANNELS,
  MOST_EPOCHS,
  MOST_SIDE,
  nonNegative,
  positive,
} from "./kinds.ts";

/** Widths of the named backbones: dim, depth and heads as in timm. */
export const BACKBONES = {
  vit_tiny: { dim: 192, depth: 12, heads: 3 },
  vit_small: { dim: 384, depth: 12, heads: 6 },
  vit_base: { dim: 768, depth: 12, heads: 12 },
} as const;

const ofBackbone = (what: string) => ({
  derived: `${what} of \`model.backbone\``,
  resolved: "number",
});

/** Width of a layer: four times that of the widest transformer there is. */
const MOST_WIDTH = 65536;
/** Layers: what is recorded for each takes a moment. */
const MOST_BLOCKS = 256, MOST_LAYERS = 64;
/** Prototypes: 64 times DINO's. */
const MOST_PROTOTYPES = 2 ** 22;

/** Section `model`. */
export const model = z.strictObject({
  backbone: key(
    z.enum(["vit_tiny", "vit_small", "vit_base", "custom"]),
    "vit_small",
    "Vision transformer: vit_tiny (dim 192, depth 12, heads 3), vit_small (384, 12, 6), vit_base " +
      "(768, 12, 12), or custom, which needs `dim`, `depth` and `heads`.",
    { aka: ["arch"] },
  ),
  patch_size: key(countTo(MOST_SIDE), 16, "Side of a patch in pixels."),
  dim: key(countTo(MOST_WIDTH).nullable(), null, "Width D of a token.", {
    ...ofBackbone("the width"),
    aka: ["embed_dim"],
  }),
  depth: key(
    countTo(MOST_BLOCKS).nullable(),
    null,
    "Number of transformer blocks.",
    ofBackbone("the depth"),
  ),
  heads: key(countTo(MOST_WIDTH).nullable(), null, "Attention heads per block.", {
    ...ofBackbone("the number of heads"),
    aka: ["num_heads"],
  }),
  mlp_ratio: key(positive.max(1024), 4, "Hidden width of a block's MLP over `model.dim`."),
  in_chans: key(
    countTo(MOST_CHANNELS),
    3,
    "Channels of a picture: 3 are red, green and blue, 1 is gray, 4 are red, green, blue and alpha; other numbers " +
      "are for data sets of your own.",
    { aka: ["channels", "in_channels"] },
  ),
  drop_path_rate: key(
    belowOne,
    0.1,
    "Stochastic depth of the student: rises linearly from 0 in the first block to this in the last.",
  ),
  init_std: key(
    positive,
    0.02,
    "Standard deviation of the initial weights of linear layers. DINO's is made for widths of 384 and more; narrow models pass little on at the start and learn sooner with more, such as 0.4 / √dim.",
  ),
  pos_interp: key(
    z.enum(["offset", "size"]),
    "offset",
    "How the position embedding is resampled for local views: `offset` steps by grid / (n + 0.1), as " +
      "facebookresearch/dino does, `size` by grid / n.",
  ),
  projection_hidden_dim: key(countTo(MOST_WIDTH), 2048, "Hidden width of the DINO head.", {
    aka: ["hidden_dim"],
  }),
  projection_bottleneck_dim: key(
    countTo(MOST_WIDTH),
    256,
    "Width of the head's L2-normalised bottleneck.",
    {
      aka: ["bottleneck_dim"],
    },
  ),
  projection_output_dim: key(
    z.int().min(2).max(MOST_PROTOTYPES),
    65536,
    "K: number of prototypes, the head's outputs.",
    {
      aka: ["out_dim", "num_prototypes"],
    },
  ),
  projection_layers: key(
    countTo(MOST_LAYERS),
    3,
    "Linear layers of the head up to its bottleneck.",
    {
      aka: ["nlayers"],
    },
  ),
  norm_last_layer: key(
    z.boolean(),
    true,
    "Keep the gain of the weight-normalised last layer fixed at 1; false trains it.",
  ),
}).meta({ description: "The vision transformer and its DINO projection head." });

/** Section `loss`. */
export const loss = z.strictObject({
  student_temp: key(positive, 0.1, "Temperature of the student's softmax."),
  teacher_temp: key(positive, 0.04, "Temperature of the teacher's softmax after its warm-up."),
  warmup_teacher_temp: key(positive, 0.04, "Temperature of the teacher's softmax in epoch 0."),
  warmup_teacher_temp_epochs: key(
    z.int().min(0).max(MOST_EPOCHS),
    0,
    "Epochs over which the teacher's temperature goes linearly to `loss.teacher_temp`.",
  ),
  center_momentum: key(belowOne, 0.9, "m of the centre: centre = m × centre + (1 − m) × mean."),
  centering: key(
    z.enum(["center", "sinkhorn_knopp", "none"]),
    "center",
    "What keeps one prototype from taking all: `center` subtracts the moving average of the teacher's logits, " +
      "`sinkhorn_knopp` evens out each batch (SwAV, DINOv2), `none` does neither and collapses.",
  ),
  koleo_weight: key(
    nonNegative,
    0,
    "Weight of the KoLeo regulariser, which spreads the student's features of the global views; DINOv2 uses " +
      "0.1, 0 turns it off.",
  ),
  chunk_size: key(
    countTo(MOST_PROTOTYPES).nullable(),
    null,
    "Output dimensions whose logits exist at once, a multiple of 64; null is all of them while that takes 64 MiB " +
      "at most, else as many as fit 16 MiB.",
  ),
}).meta({ description: "The DINO loss: temperatures, and what keeps it from collapsing." });
