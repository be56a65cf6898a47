/**
 * The shape of a vision transformer, read off its tensors.
 *
 * @module
 */
import { TRANSFORMERS } from "../../config/backbones.ts";
import { HatchlingError } from "../../errors.ts";
import type { LayoutName } from "../../io/names/layouts.ts";
import type { Network } from "../../io/names/networks.ts";
import { sourceOf } from "../../io/names/pieces.ts";
import { shown } from "../../text.ts";
import { many } from "../../words.ts";
import { headsOf } from "./heads.ts";
import type { IdentifyOptions, ModelKeys } from "./types.ts";
import { at, numberAt } from "./json.ts";

/** Letters of the published widths. */
const LETTERS: Readonly<Record<number, string>> = {
  192: "Ti",
  384: "S",
  768: "B",
  1024: "L",
  1280: "H",
  1536: "g",
};

/** LayerScale's initial value in DINOv2 and DINOv3; the file's own values take its place. */
const LAYER_SCALE = 1e-5;

/** DINOv3's base of the periods of rotary positions. */
const ROPE_BASE = 100;

/** The shape of a transformer as keys of the configuration, with what it is in words. */
export function transformerOf(
  network: Network,
  options: IdentifyOptions,
): { model: ModelKeys; family: string } {
  const { file, config } = options, { layout } = network;
  const shape = (ours: string) => sourceOf(network, ours)?.shape;
  const patch = shape("patch_embed.proj.weight");
  const depth = countBlocks(shape);
  if (!patch || patch.length !== 4 || patch[2] !== patch[3] || !depth) {
    throw new HatchlingError(
      `Expected the weights of a vision transformer or a ResNet in ${shown(file)} but found ${
        patch ? `patches of shape [${patch.join(", ")}] and ${depth} blocks` : "neither"
      }: docs/guides/models.md lists what is known`,
    );
  }
  checkActivation(file, config);
  const [dim, channels, side] = patch;
  const heads = headsOf(network, dim, options);
  const registers = shape("reg_token")?.[1] ?? 0;
  const gated = shape("blocks.0.mlp.w12.weight"), plain = shape("blocks.0.mlp.fc1.weight");
  const hidden = gated ? gated[0] / 2 : plain?.[0] ?? 4 * dim;
  const isRope = !shape("pos_embed");
  if (isRope && !isDinov3(layout.name)) {
    throw new HatchlingError(
      `Expected pos_embed, or DINOv3's names, in ${shown(file)} but found neither: ` +
        "how patches know their place is not told",
    );
  }
  const hasClass = !!shape("cls_token"), fcNorm = !!shape("fc_norm.weight");
  const isMean = fcNorm || !hasClass || at(config, "global_pool") === "avg" && !isRope;
  const layerScale = !!shape("blocks.0.ls1.gamma");
  const model: ModelKeys = {
    ...named(dim, depth, heads),
    patch_size: side,
    in_chans: channels,
    registers,
    layer_scale: layerScale ? LAYER_SCALE : null,
    mlp: gated ? "swiglu" : "gelu",
    mlp_hidden_dim: hidden === 4 * dim && !gated ? null : hidden,
    pos_embed: isRope ? "rope" : "learned",
    qkv_bias: biasOf(network),
    class_token: hasClass,
    fc_norm: fcNorm,
    norm_eps: epsOf(layout.name, config),
    ...isRope
      ? { rope_base: numberAt(config, "rope_theta") ?? ROPE_BASE }
      : { pos_interp: interpOf(network, registers, config) },
    feature: isMean ? "mean" : "class",
  };
  const words = [
    `ViT${LETTERS[dim] ? `-${LETTERS[dim]}` : ""}/${side}: dim ${dim}`,
    many(depth, "block"),
    many(heads, "head"),
    ...layerScale ? ["LayerScale"] : [],
    ...gated ? [`SwiGLU of ${hidden}`] : [],
    ...registers ? [`${registers} registers`] : [],
    ...isRope ? ["rotary positions"] : [],
  ];
  return { model, family: words.join(", ") };
}

/** What no tensor tells: config.json's activation, where it is another one than this project's. */
function checkActivation(file: string, config: unknown): void {
  const act = at(config, "hidden_act");
  if (act === undefined || act === "gelu" || act === "silu") return;
  throw new HatchlingError(
    `Expected hidden_act gelu or silu in the config.json of ${shown(file)} but found ${
      shown(String(act).slice(0, 40))
    }: it is not supported`,
  );
}

function countBlocks(shape: (ours: string) => unknown): number {
  let depth = 0;
  while (shape(`blocks.${depth}.norm1.weight`)) depth++;
  return depth;
}

/** A shape that has a name goes by it. */
function named(dim: number, depth: number, heads: number): ModelKeys {
  const known = Object.entries(TRANSFORMERS).find(([, shape]) =>
    "heads" in shape && shape.dim === dim && shape.depth === depth && shape.heads === heads
  );
  if (known) return { backbone: known[0], dim, depth, heads };
  return { backbone: "custom", dim, depth, heads };
}

const isDinov3 = (name: LayoutName) => /dinov3|eva/.test(name);

/** Which of queries, keys and values have biases. */
function biasOf(network: Network): NonNullable<ModelKeys["qkv_bias"]> {
  const bias = sourceOf(network, "blocks.0.attn.qkv.bias");
  if (!bias) return "none";
  return bias.masked || bias.values.some((value) => "zeros" in value) ? "no_key" : "all";
}

/** LayerNorm's epsilon: config.json's, else that of the code whose names these are. */
function epsOf(name: LayoutName, config: unknown): number {
  const own = numberAt(config, "layer_norm_eps");
  if (own !== undefined) return own;
  if (isDinov3(name)) return 1e-5;
  return name === "hf_vit" ? 1e-12 : 1e-6;
}

/** How the code whose names these are resamples position embeddings. */
function interpOf(
  { layout: { name }, tensors }: Network,
  registers: number,
  config: unknown,
): NonNullable<ModelKeys["pos_interp"]> {
  if (registers) return "antialias"; // DINOv2's with registers, and all of timm's
  if (name === "hf_vit" || name === "hf_dinov2") return "size";
  const isTimm = at(config, "architecture") !== undefined || tensors.has("head.weight") ||
    name === "timm" && tensors.has("blocks.0.ls1.gamma") || tensors.has("fc_norm.weight");
  return isTimm ? "antialias" : "offset";
}
