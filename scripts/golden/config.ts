/**
 * Model settings of a case, under this project's names.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import type { DinoHeadConfig, ViTConfig } from "../../lib/model.ts";

type Json = Record<string, unknown>;

/** The value under a key that must be there. */
export function need<T>(config: Json, key: string): T {
  if (!(key in config)) throw new HatchlingError(`Expected ${key} in the case's config`);
  return config[key] as T;
}

/** LayerNorm's epsilon of every model here. */
const LN_EPS = 1e-6;

/** Without the keys that are undefined, whose defaults the model fills in. */
function defined<T extends object>(config: T): T {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) as T;
}

/** From `{ image_size, patch_size, dim, depth, heads, … }`. */
export function vitConfig(config: Json): ViTConfig {
  const eps = config.ln_eps ?? LN_EPS;
  if (eps !== LN_EPS) throw new HatchlingError(`Expected ln_eps ${LN_EPS} but found ${eps}`);
  return defined({
    imageSize: need<number>(config, "image_size"),
    patchSize: need<number>(config, "patch_size"),
    dim: need<number>(config, "dim"),
    depth: need<number>(config, "depth"),
    heads: need<number>(config, "heads"),
    mlpRatio: config.mlp_ratio as number | undefined,
    inChans: config.in_chans as number | undefined,
    posInterp: config.pos_interp as "offset" | "size" | undefined,
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
  });
}
