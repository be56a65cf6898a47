/**
 * facebookresearch's dino, dinov2 and dinov3, whichever has a place for all parts of the model; and dino's head.
 *
 * @module
 */
import { FB_DINOV2, FB_DINOV3 } from "../../io/names/facebook.ts";
import type { DinoHeadConfig } from "../../model/head.ts";
import type { VitShape } from "../shape.ts";
import {
  type Layout,
  ratioFor,
  refuse,
  rename,
  type Tensors,
  withMaskToken,
  withoutMaskToken,
} from "./layout.ts";

/** A backbone in facebookresearch's layout. */
export function facebookLayout(tensors: Tensors, shape: VitShape): Layout {
  if (!shape.classToken) refuse("facebookresearch's layout", "no class token");
  if (shape.fcNorm) refuse("facebookresearch's layout", "a norm after the mean (fc_norm)");
  if (shape.posEmbed === "rope") return dinov3(tensors, shape);
  if (shape.registers || shape.layerScale !== null || shape.mlp === "swiglu") {
    return dinov2(tensors, shape);
  }
  return {
    ...described("dino", shape),
    tensors: withoutMaskToken(tensors),
  };
}

function dinov2(tensors: Tensors, shape: VitShape): Layout {
  const whole = withMaskToken(tensors, [1, shape.dim]);
  return { ...described("dinov2", shape), tensors: rename(whole, FB_DINOV2, "dinov2") };
}

function dinov3(tensors: Tensors, shape: VitShape): Layout {
  const { dim, depth, heads, ropeBase, qkvBias } = shape;
  const renamed = rename(withMaskToken(tensors, [1, dim]), FB_DINOV3, "dinov3");
  const periods = dim / heads / 4;
  renamed.set("rope_embed.periods", {
    shape: [periods],
    data: Float32Array.from({ length: periods }, (_, i) => ropeBase ** (i / periods)),
  });
  // A factor for every bias, 0 for those of the keys.
  for (let i = 0; qkvBias === "no_key" && i < depth; i++) {
    const data = new Float32Array(3 * dim).fill(1).fill(0, dim, 2 * dim);
    renamed.set(`blocks.${i}.attn.qkv.bias_mask`, { shape: [3 * dim], data });
  }
  return { ...described("dinov3", shape), tensors: renamed };
}

/** What builds the model there. */
function described(repository: string, shape: VitShape): Omit<Layout, "tensors"> {
  const { dim, depth, heads, patchSize, imageSize, mlpHiddenDim, normEps } = shape;
  const size = `embed_dim=${dim}, depth=${depth}, num_heads=${heads}`;
  const ratio = repository !== "dino" && shape.mlp === "swiglu" ? 1.5 : 1;
  const mlp = `${repository === "dinov3" ? "ffn_ratio" : "mlp_ratio"}=${
    ratioFor(Math.ceil(ratio * mlpHiddenDim), dim)
  }`;
  const model = `facebookresearch/${repository}'s vision transformer (image ${imageSize}, ` +
    `patch_size=${patchSize}, ${size}, ${mlp}, norms with eps=${normEps})`;
  return {
    model,
    load: [
      "from safetensors.torch import load_file",
      'model.load_state_dict(load_file("FOLDER/model.safetensors"), strict=True)',
    ].join("\n"),
    notes: [],
  };
}

/** `DINOHead`, dino's or, where its last layer is a plain one, dinov3's: the names without `head.` before them. */
export function facebookHead(tensors: Tensors, config: Required<DinoHeadConfig>): Layout {
  const { inDim, outDim, hiddenDim, bottleneckDim, layers, useWeightNorm } = config;
  const repository = useWeightNorm ? "dino" : "dinov3";
  return {
    model: `facebookresearch/${repository}'s DINOHead(${inDim}, ${outDim}, nlayers=${layers}, ` +
      `hidden_dim=${hiddenDim}, bottleneck_dim=${bottleneckDim})`,
    load: [
      "from safetensors.torch import load_file",
      'head.load_state_dict(load_file("FOLDER/model.safetensors"), strict=True)',
    ].join("\n"),
    tensors: new Map([...tensors].map(([name, values]) => [name.replace(/^head\./, ""), values])),
    notes: [],
  };
}

/** Backbone and head as dino's `MultiCropWrapper` holds them. */
export function facebookBoth(backbone: Layout, head: Layout): Layout {
  const under = (prefix: string, { tensors }: Layout) =>
    [...tensors].map(([name, values]) => [`${prefix}.${name}`, values] as const);
  return {
    model: `${backbone.model} and ${head.model} in MultiCropWrapper`,
    load: backbone.load,
    tensors: new Map([...under("backbone", backbone), ...under("head", head)]),
    counters: backbone.counters?.map((name) => `backbone.${name}`),
    notes: backbone.notes,
  };
}
