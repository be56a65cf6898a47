/**
 * The parameters of a vision transformer, named as in timm and facebookresearch/dino.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { ParameterSpec } from "./parameters.ts";
import { blockOf } from "./parts.ts";
import type { PosInterp } from "../ops/pos_embed.ts";

/**
 * Shape of a vision transformer.
 *
 * @category Model
 */
export interface ViTConfig {
  /** Pixels per side of the images that `pos_embed` is stored for. */
  imageSize: number;
  /** Pixels per side of a patch. */
  patchSize: number;
  /** Width D of the tokens. */
  dim: number;
  /** Number of blocks. */
  depth: number;
  /** Attention heads; they divide `dim`. */
  heads: number;
  /** Hidden width of the MLP over `dim`; 4 by default. */
  mlpRatio?: number;
  /** Image channels; 3 by default. */
  inChans?: number;
  /** Resampling of the position embedding; "offset" by default. */
  posInterp?: PosInterp;
  /** Standard deviation of the initial weights of linear layers; 0.02 by default. */
  initStd?: number;
  /** Drop path rate of the last block, linear from 0 at the first; 0 by default. */
  dropPathRate?: number;
  /** Has a token that stands for masked patches, `mask_token`; false by default. */
  maskToken?: boolean;
  /** The embedding (patches, positions, tokens) and so many blocks are not trained; 0, which trains all, by default. */
  freezeBlocks?: number;
}

/**
 * Checks a shape.
 *
 * @throws {HatchlingError} When sizes do not divide or are not positive whole numbers.
 */
export function checkViT(config: Required<ViTConfig>): void {
  const { imageSize, patchSize, dim, depth, heads, mlpRatio, inChans, freezeBlocks } = config;
  for (
    const [key, value] of Object.entries({ imageSize, patchSize, dim, depth, heads, inChans })
  ) {
    if (!Number.isInteger(value) || value < 1) {
      throw new HatchlingError(
        `VisionTransformer: expected a positive whole ${key} but found ${value}`,
      );
    }
  }
  if (imageSize % patchSize) {
    throw new HatchlingError(
      `VisionTransformer: expected imageSize to be a multiple of patchSize ${patchSize} but found ${imageSize}`,
    );
  }
  if (dim % heads) {
    throw new HatchlingError(
      `VisionTransformer: expected dim to be a multiple of ${heads} heads but found ${dim}`,
    );
  }
  if (!Number.isInteger(freezeBlocks) || freezeBlocks < 0 || freezeBlocks > depth) {
    throw new HatchlingError(
      `VisionTransformer: expected freezeBlocks to be whole, from 0 to depth ${depth}, but found ${freezeBlocks}`,
    );
  }
  if (!Number.isInteger(dim * mlpRatio) || dim * mlpRatio < 1) {
    throw new HatchlingError(
      `VisionTransformer: expected mlpRatio · dim to be whole but found ${mlpRatio} · ${dim}`,
    );
  }
}

/** Names, shapes and initial values, in checkpoint order. */
export function vitSpecs(config: Required<ViTConfig>): ParameterSpec[] {
  const { imageSize, patchSize, dim, depth, mlpRatio, inChans, initStd } = config;
  const grid = imageSize / patchSize;
  const hidden = dim * mlpRatio;
  const fanIn = { uniform: 1 / Math.sqrt(inChans * patchSize * patchSize) };
  const normal = { normal: 0.02 };
  const zero = { constant: 0 };
  const one = { constant: 1 };
  const specs: ParameterSpec[] = [
    { name: "cls_token", shape: [1, 1, dim], init: normal },
    { name: "pos_embed", shape: [1, 1 + grid * grid, dim], init: normal },
    { name: "patch_embed.proj.weight", shape: [dim, inChans, patchSize, patchSize], init: fanIn },
    { name: "patch_embed.proj.bias", shape: [dim], init: fanIn },
  ];
  // Zeros at first, as in iBOT and DINOv2.
  if (config.maskToken) specs.push({ name: "mask_token", shape: [1, dim], init: zero });
  const norm = (name: string) => {
    specs.push({ name: `${name}.weight`, shape: [dim], init: one }, {
      name: `${name}.bias`,
      shape: [dim],
      init: zero,
    });
  };
  const linear = (name: string, out: number, inputs: number) => {
    specs.push(
      { name: `${name}.weight`, shape: [out, inputs], init: { normal: initStd } },
      { name: `${name}.bias`, shape: [out], init: zero },
    );
  };
  for (let i = 0; i < depth; i++) {
    norm(`blocks.${i}.norm1`);
    linear(`blocks.${i}.attn.qkv`, 3 * dim, dim);
    linear(`blocks.${i}.attn.proj`, dim, dim);
    norm(`blocks.${i}.norm2`);
    linear(`blocks.${i}.mlp.fc1`, hidden, dim);
    linear(`blocks.${i}.mlp.fc2`, dim, hidden);
  }
  norm("norm");
  const isFrozen = (name: string) => (blockOf(name) ?? depth) < config.freezeBlocks;
  return config.freezeBlocks === 0
    ? specs
    : specs.map((spec) => isFrozen(spec.name) ? { ...spec, trainable: false } : spec);
}
