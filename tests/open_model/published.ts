/**
 * Names and shapes of published checkpoints, made from their published sizes. Written by hand from the projects they
 * come from, so that no table of the library has a part in them.
 */
import type { FoundTensor } from "../../lib/io/weight_names.ts";

/** Sizes of a vision transformer. */
export interface Sizes {
  dim: number;
  depth: number;
  heads: number;
  patch: number;
  /** Patches per side that positions are stored for. */
  grid: number;
  registers?: number;
  /** Hidden width of a gated MLP. */
  gated?: number;
}

export const TINY = { dim: 192, depth: 12, heads: 3 };
export const SMALL = { dim: 384, depth: 12, heads: 6 };
export const BASE = { dim: 768, depth: 12, heads: 12 };
export const LARGE = { dim: 1024, depth: 24, heads: 16 };
export const GIANT2 = { dim: 1536, depth: 40, heads: 24 };

/** A checkpoint: shapes by name. */
export type Shapes = Record<string, number[]>;

const linear = (name: string, out: number, inputs: number): Shapes => ({
  [`${name}.weight`]: [out, inputs],
  [`${name}.bias`]: [out],
});
const norm = (name: string, dim: number): Shapes => ({
  [`${name}.weight`]: [dim],
  [`${name}.bias`]: [dim],
});
const conv = (name: string, dim: number, patch: number): Shapes => ({
  [`${name}.weight`]: [dim, 3, patch, patch],
  [`${name}.bias`]: [dim],
});
const each = (depth: number, block: (i: number) => Shapes): Shapes =>
  Object.assign({}, ...Array.from({ length: depth }, (_, i) => block(i)));

/** timm's `VisionTransformer` without a classifier, and facebookresearch/dino's. */
export function timmVit(
  { dim, depth, patch, grid, registers = 0, gated }: Sizes,
  { layerScale = false, noEmbedClass = false } = {},
): Shapes {
  return {
    cls_token: [1, 1, dim],
    ...registers && { reg_token: [1, registers, dim] },
    pos_embed: [1, grid * grid + (noEmbedClass ? 0 : 1), dim],
    ...conv("patch_embed.proj", dim, patch),
    ...each(depth, (i) => ({
      ...norm(`blocks.${i}.norm1`, dim),
      ...linear(`blocks.${i}.attn.qkv`, 3 * dim, dim),
      ...linear(`blocks.${i}.attn.proj`, dim, dim),
      ...layerScale && { [`blocks.${i}.ls1.gamma`]: [dim] },
      ...norm(`blocks.${i}.norm2`, dim),
      ...linear(`blocks.${i}.mlp.fc1`, gated ? 2 * gated : 4 * dim, dim),
      ...linear(`blocks.${i}.mlp.fc2`, dim, gated ?? 4 * dim),
      ...layerScale && { [`blocks.${i}.ls2.gamma`]: [dim] },
    })),
    ...norm("norm", dim),
  };
}

/** timm's `Eva` as which it has DINOv3; `biases` are those of its `_qkvb` models. */
export function timmDinov3({ dim, depth, patch, registers, gated }: Sizes, biases = false): Shapes {
  return {
    cls_token: [1, 1, dim],
    reg_token: [1, registers!, dim],
    ...conv("patch_embed.proj", dim, patch),
    ...each(depth, (i) => ({
      [`blocks.${i}.gamma_1`]: [dim],
      [`blocks.${i}.gamma_2`]: [dim],
      ...norm(`blocks.${i}.norm1`, dim),
      [`blocks.${i}.attn.qkv.weight`]: [3 * dim, dim],
      ...biases && { [`blocks.${i}.attn.q_bias`]: [dim], [`blocks.${i}.attn.v_bias`]: [dim] },
      ...linear(`blocks.${i}.attn.proj`, dim, dim),
      ...norm(`blocks.${i}.norm2`, dim),
      ...gated
        ? {
          ...linear(`blocks.${i}.mlp.fc1_g`, gated, dim),
          ...linear(`blocks.${i}.mlp.fc1_x`, gated, dim),
        }
        : linear(`blocks.${i}.mlp.fc1`, 4 * dim, dim),
      ...linear(`blocks.${i}.mlp.fc2`, dim, gated ?? 4 * dim),
    })),
    ...norm("norm", dim),
  };
}

/** facebookresearch/dinov2. */
export function dinov2({ dim, depth, patch, grid, registers = 0, gated }: Sizes): Shapes {
  return {
    cls_token: [1, 1, dim],
    pos_embed: [1, grid * grid + 1, dim],
    ...registers && { register_tokens: [1, registers, dim] },
    mask_token: [1, dim],
    ...conv("patch_embed.proj", dim, patch),
    ...each(depth, (i) => ({
      ...norm(`blocks.${i}.norm1`, dim),
      ...linear(`blocks.${i}.attn.qkv`, 3 * dim, dim),
      ...linear(`blocks.${i}.attn.proj`, dim, dim),
      [`blocks.${i}.ls1.gamma`]: [dim],
      ...norm(`blocks.${i}.norm2`, dim),
      ...gated
        ? {
          ...linear(`blocks.${i}.mlp.w12`, 2 * gated, dim),
          ...linear(`blocks.${i}.mlp.w3`, dim, gated),
        }
        : {
          ...linear(`blocks.${i}.mlp.fc1`, 4 * dim, dim),
          ...linear(`blocks.${i}.mlp.fc2`, dim, 4 * dim),
        },
      [`blocks.${i}.ls2.gamma`]: [dim],
    })),
    ...norm("norm", dim),
  };
}

/** facebookresearch/dinov3. */
export function dinov3({ dim, depth, heads, patch, registers, gated }: Sizes): Shapes {
  return {
    cls_token: [1, 1, dim],
    storage_tokens: [1, registers!, dim],
    mask_token: [1, dim],
    ...conv("patch_embed.proj", dim, patch),
    "rope_embed.periods": [dim / heads / 4],
    ...each(depth, (i) => ({
      ...norm(`blocks.${i}.norm1`, dim),
      ...linear(`blocks.${i}.attn.qkv`, 3 * dim, dim),
      [`blocks.${i}.attn.qkv.bias_mask`]: [3 * dim],
      ...linear(`blocks.${i}.attn.proj`, dim, dim),
      [`blocks.${i}.ls1.gamma`]: [dim],
      ...norm(`blocks.${i}.norm2`, dim),
      ...gated
        ? {
          ...linear(`blocks.${i}.mlp.w1`, gated, dim),
          ...linear(`blocks.${i}.mlp.w2`, gated, dim),
          ...linear(`blocks.${i}.mlp.w3`, dim, gated),
        }
        : {
          ...linear(`blocks.${i}.mlp.fc1`, 4 * dim, dim),
          ...linear(`blocks.${i}.mlp.fc2`, dim, 4 * dim),
        },
      [`blocks.${i}.ls2.gamma`]: [dim],
    })),
    ...norm("norm", dim),
  };
}

const hfAttention = (layer: string, dim: number): Shapes => ({
  ...linear(`${layer}.attention.attention.query`, dim, dim),
  ...linear(`${layer}.attention.attention.key`, dim, dim),
  ...linear(`${layer}.attention.attention.value`, dim, dim),
  ...linear(`${layer}.attention.output.dense`, dim, dim),
});

/** Hugging Face's `ViTModel` without its pooler. */
export function hfVit({ dim, depth, patch, grid }: Sizes): Shapes {
  return {
    "embeddings.cls_token": [1, 1, dim],
    "embeddings.position_embeddings": [1, grid * grid + 1, dim],
    ...conv("embeddings.patch_embeddings.projection", dim, patch),
    ...each(depth, (i) => ({
      ...hfAttention(`encoder.layer.${i}`, dim),
      ...linear(`encoder.layer.${i}.intermediate.dense`, 4 * dim, dim),
      ...linear(`encoder.layer.${i}.output.dense`, dim, 4 * dim),
      ...norm(`encoder.layer.${i}.layernorm_before`, dim),
      ...norm(`encoder.layer.${i}.layernorm_after`, dim),
    })),
    ...norm("layernorm", dim),
  };
}

/** Hugging Face's `Dinov2Model`, and with registers `Dinov2WithRegistersModel`. */
export function hfDinov2({ dim, depth, patch, grid, registers = 0, gated }: Sizes): Shapes {
  return {
    "embeddings.cls_token": [1, 1, dim],
    "embeddings.mask_token": [1, dim],
    ...registers && { "embeddings.register_tokens": [1, registers, dim] },
    "embeddings.position_embeddings": [1, grid * grid + 1, dim],
    ...conv("embeddings.patch_embeddings.projection", dim, patch),
    ...each(depth, (i) => ({
      ...norm(`encoder.layer.${i}.norm1`, dim),
      ...hfAttention(`encoder.layer.${i}`, dim),
      [`encoder.layer.${i}.layer_scale1.lambda1`]: [dim],
      ...norm(`encoder.layer.${i}.norm2`, dim),
      ...gated
        ? {
          ...linear(`encoder.layer.${i}.mlp.weights_in`, 2 * gated, dim),
          ...linear(`encoder.layer.${i}.mlp.weights_out`, dim, gated),
        }
        : {
          ...linear(`encoder.layer.${i}.mlp.fc1`, 4 * dim, dim),
          ...linear(`encoder.layer.${i}.mlp.fc2`, dim, 4 * dim),
        },
      [`encoder.layer.${i}.layer_scale2.lambda1`]: [dim],
    })),
    ...norm("layernorm", dim),
  };
}

/** Hugging Face's `DINOv3ViTModel`. */
export function hfDinov3({ dim, depth, patch, registers, gated }: Sizes): Shapes {
  return {
    "embeddings.cls_token": [1, 1, dim],
    "embeddings.mask_token": [1, 1, dim],
    "embeddings.register_tokens": [1, registers!, dim],
    ...conv("embeddings.patch_embeddings", dim, patch),
    ...each(depth, (i) => ({
      ...norm(`layer.${i}.norm1`, dim),
      [`layer.${i}.attention.k_proj.weight`]: [dim, dim],
      ...linear(`layer.${i}.attention.v_proj`, dim, dim),
      ...linear(`layer.${i}.attention.q_proj`, dim, dim),
      ...linear(`layer.${i}.attention.o_proj`, dim, dim),
      [`layer.${i}.layer_scale1.lambda1`]: [dim],
      ...norm(`layer.${i}.norm2`, dim),
      ...gated ? linear(`layer.${i}.mlp.gate_proj`, gated, dim) : {},
      ...linear(`layer.${i}.mlp.up_proj`, gated ?? 4 * dim, dim),
      ...linear(`layer.${i}.mlp.down_proj`, dim, gated ?? 4 * dim),
      [`layer.${i}.layer_scale2.lambda1`]: [dim],
    })),
    ...norm("norm", dim),
  };
}

/** torchvision's `ResNet`. */
export function resnet(stages: readonly number[], bottlenecks: boolean): Shapes {
  const shapes: Shapes = { "conv1.weight": [64, 3, 7, 7] };
  const batchNorm = (name: string, dim: number) => {
    for (const kind of ["weight", "bias", "running_mean", "running_var"]) {
      shapes[`${name}.${kind}`] = [dim];
    }
    shapes[`${name}.num_batches_tracked`] = [];
  };
  batchNorm("bn1", 64);
  let inputs = 64;
  for (const [s, count] of stages.entries()) {
    const width = 64 * 2 ** s, out = bottlenecks ? 4 * width : width;
    for (let b = 0; b < count; b++) {
      const name = `layer${s + 1}.${b}`;
      const layers = bottlenecks
        ? [[width, inputs, 1], [width, width, 3], [out, width, 1]]
        : [[width, inputs, 3], [width, width, 3]];
      for (const [i, [to, from, side]] of layers.entries()) {
        shapes[`${name}.conv${i + 1}.weight`] = [to, from, side, side];
        batchNorm(`${name}.bn${i + 1}`, to);
      }
      if (b === 0 && (s > 0 || bottlenecks)) {
        shapes[`${name}.downsample.0.weight`] = [out, inputs, 1, 1];
        batchNorm(`${name}.downsample.1`, out);
      }
      inputs = out;
    }
  }
  return { ...shapes, ...linear("fc", 1000, inputs) };
}

/** DINO's head of a checkpoint that goes on (Caron et al.): three layers, 65,536 prototypes. */
export function dinoHead(prefix: string, dim: number, outputs = 65536): Shapes {
  return {
    ...linear(`${prefix}.mlp.0`, 2048, dim),
    ...linear(`${prefix}.mlp.2`, 2048, 2048),
    ...linear(`${prefix}.mlp.4`, 256, 2048),
    [`${prefix}.last_layer.weight_g`]: [outputs, 1],
    [`${prefix}.last_layer.weight_v`]: [outputs, 256],
  };
}

/** The same under other names. */
export function prefixed(prefix: string, shapes: Shapes): Shapes {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [prefix + name, shape]));
}

/** Shapes as a header gives them. */
export function entriesOf(
  shapes: Shapes,
  dtype: FoundTensor["dtype"] = "F32",
): Map<string, FoundTensor> {
  return new Map(
    Object.entries(shapes).map(([name, shape]) => {
      const whole = name.endsWith("num_batches_tracked");
      return [name, { name, dtype: whole ? "I64" as const : dtype, shape }];
    }),
  );
}
