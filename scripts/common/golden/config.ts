/**
 * Model settings of a case, under this project's names.
 *
 * @module
 */
import { HatchlingError } from "../../../lib/errors.ts";
import type { DinoHeadConfig, ViTConfig } from "../../../lib/model.ts";

type Json = Record<string, unknown>;

/** The value under a key that must be there. */
export function need<T>(config: Json, key: string): T {
  if (!(key in config)) throw new HatchlingError(`Expected ${key} in the case's config`);
  return config[key] as T;
}

/** Without the keys that are undefined, whose defaults the model fills in. */
function defined<T extends object>(config: T): T {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) as T;
}

/** From `{ image_size, patch_size, dim, depth, heads, … }`. */
export function vitConfig(config: Json): ViTConfig {
  return defined<ViTConfig>({
    imageSize: need<number>(config, "image_size"),
    patchSize: need<number>(config, "patch_size"),
    dim: need<number>(config, "dim"),
    depth: need<number>(config, "depth"),
    heads: need<number>(config, "heads"),
    mlpRatio: config.mlp_ratio as number | undefined,
    inChans: config.in_chans as number | undefined,
    mlpHiddenDim: config.mlp_hidden_dim as number | undefined,
    mlp: config.mlp as ViTConfig["mlp"],
    classToken: config.class_token as boolean | undefined,
    registers: config.registers as number | undefined,
    layerScale: config.layer_scale as number | undefined,
    posEmbed: config.pos_embed as ViTConfig["posEmbed"],
    ropeBase: config.rope_base as number | undefined,
    qkvBias: config.qkv_bias as ViTConfig["qkvBias"],
    fcNorm: config.fc_norm as boolean | undefined,
    normEps: (config.norm_eps ?? config.ln_eps) as number | undefined,
    posInterp: config.pos_interp as ViTConfig["posInterp"],
  });
}

/** From `{ in_dim, out_dim, … }`. */
export function headConfig(config: Json): DinoHeadConfig {
  return defined({
    inDim: need<number>(config, "in_dim"),
    outDim: need<number>(config, "out_dim"),
    hiddenDim: config.hidden_dim as number | undefined,
    bottleneckDim: config.bottleneck_dim as number | undefined,
    layers: config.layers as number | undefined,
    normLastLayer: config.norm_last_layer as boolean | undefined,
    useWeightNorm: config.use_weight_norm as boolean | undefined,
  });
}
