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
  /** Hidden width of the MLP, where it is no multiple of `dim`; `mlpRatio` · `dim` by default. */
  mlpHiddenDim?: number;
  /**
   * `gelu`, the default: two layers with GELU between; `swiglu`: silu(x₁) · x₂ between, of the halves of a first layer
   * of twice the hidden width (Shazeer 2020, arXiv:2002.05202), as in DINOv2's giant.
   */
  mlp?: "gelu" | "swiglu";
  /** Image channels; 3 by default. */
  inChans?: number;
  /** Has a class token; true by default. Without one, an image's feature is the mean of its patch tokens. */
  classToken?: boolean;
  /** Register tokens between class token and patches (Darcet et al. 2023, arXiv:2309.16588); 0 by default. */
  registers?: number;
  /**
   * Initial value of the factors of every branch (LayerScale, Touvron et al. 2021, arXiv:2103.17239); null, the default,
   * has none.
   */
  layerScale?: number | null;
  /**
   * `learned`, the default: an embedding for every patch, resampled for other image sizes; `rope`: queries and keys of
   * patches are rotated by their place down and across, as in DINOv3, and nothing is learned.
   */
  posEmbed?: "learned" | "rope";
  /** Longest period of `rope` over its shortest; 100 by default. */
  ropeBase?: number;
  /** Which of queries, keys and values have a bias: `all`, the default, `none`, or `no_key`, as in DINOv3. */
  qkvBias?: "all" | "none" | "no_key";
  /** The final norm is of features, after the mean of patch tokens, and called `fc_norm`, as in timm; false by default. */
  fcNorm?: boolean;
  /** What layer norms add to the variance; 1e-6 by default. */
  normEps?: number;
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
  const { imageSize, patchSize, dim, depth, heads, mlpRatio, mlpHiddenDim, inChans } = config;
  const { freezeBlocks } = config;
  const whole = { imageSize, patchSize, dim, depth, heads, inChans };
  for (const [key, value] of Object.entries(whole)) {
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
  if (!Number.isInteger(mlpHiddenDim) || mlpHiddenDim < 1) {
    throw new HatchlingError(
      mlpHiddenDim === dim * mlpRatio
        ? `VisionTransformer: expected mlpRatio · dim to be whole but found ${mlpRatio} · ${dim}`
        : `VisionTransformer: expected a positive whole mlpHiddenDim but found ${mlpHiddenDim}`,
    );
  }
  checkParts(config);
}

function checkParts(config: Required<ViTConfig>): void {
  const { registers, layerScale, ropeBase, normEps, dim, heads } = config;
  const right: [name: string, ok: boolean, expected: string, found: unknown][] = [
    ["registers", Number.isInteger(registers) && registers >= 0, "a whole number ≥ 0", registers],
    ["layerScale", layerScale === null || positive(layerScale), "a number > 0 or null", layerScale],
    ["ropeBase", positive(ropeBase), "a number > 0", ropeBase],
    ["normEps", positive(normEps), "a number > 0", normEps],
    [
      "dim / heads",
      config.posEmbed !== "rope" || dim / heads % 4 === 0,
      "a multiple of 4 with posEmbed rope",
      dim / heads,
    ],
  ];
  for (const [name, ok, expected, found] of right) {
    if (!ok) {
      throw new HatchlingError(
        `VisionTransformer: expected ${name} to be ${expected} but found ${found}`,
      );
    }
  }
}

function positive(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}

/** Names, shapes and initial values, in checkpoint order. */
export function vitSpecs(config: Required<ViTConfig>): ParameterSpec[] {
  const { imageSize, patchSize, dim, depth, mlpHiddenDim: hidden, inChans, initStd } = config;
  const grid = imageSize / patchSize;
  const fanIn = { uniform: 1 / Math.sqrt(inChans * patchSize * patchSize) };
  const normal = { normal: 0.02 };
  const zero = { constant: 0 };
  const one = { constant: 1 };
  const specs: ParameterSpec[] = [];
  const classes = config.classToken ? 1 : 0;
  if (classes) specs.push({ name: "cls_token", shape: [1, 1, dim], init: normal });
  if (config.posEmbed === "learned") {
    specs.push({ name: "pos_embed", shape: [1, classes + grid * grid, dim], init: normal });
  }
  if (config.registers) {
    specs.push({ name: "reg_token", shape: [1, config.registers, dim], init: normal });
  }
  specs.push(
    { name: "patch_embed.proj.weight", shape: [dim, inChans, patchSize, patchSize], init: fanIn },
    { name: "patch_embed.proj.bias", shape: [dim], init: fanIn },
  );
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
  const scale = (name: string) => {
    if (config.layerScale === null) return;
    specs.push({ name: `${name}.gamma`, shape: [dim], init: { constant: config.layerScale } });
  };
  for (let i = 0; i < depth; i++) {
    const of = `blocks.${i}`;
    norm(`${of}.norm1`);
    linear(`${of}.attn.qkv`, 3 * dim, dim);
    if (config.qkvBias === "none") specs.pop();
    if (config.qkvBias === "no_key") specs.push({ ...specs.pop()!, held: [dim, 2 * dim] });
    linear(`${of}.attn.proj`, dim, dim);
    scale(`${of}.ls1`);
    norm(`${of}.norm2`);
    if (config.mlp === "swiglu") {
      linear(`${of}.mlp.w12`, 2 * hidden, dim);
      linear(`${of}.mlp.w3`, dim, hidden);
    } else {
      linear(`${of}.mlp.fc1`, hidden, dim);
      linear(`${of}.mlp.fc2`, dim, hidden);
    }
    scale(`${of}.ls2`);
  }
  norm(config.fcNorm ? "fc_norm" : "norm");
  const isFrozen = (name: string) => (blockOf(name) ?? depth) < config.freezeBlocks;
  return config.freezeBlocks === 0
    ? specs
    : specs.map((spec) => isFrozen(spec.name) ? { ...spec, trainable: false } : spec);
}
