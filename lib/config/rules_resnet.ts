/**
 * What a ResNet does not have.
 *
 * @module
 */

import { VIT_DEFAULTS } from "../model/defaults.ts";
import { valueAt } from "./describe.ts";
import type { Rule } from "./rule.ts";
import { resnetLayers } from "./backbones.ts";

/** Keys with the only value that they may have, and why. */
const ABSENT: Readonly<Record<string, [value: unknown, why: string]>> = {
  "model.class_token": [VIT_DEFAULTS.classToken, "the pooled map stands in its place"],
  "model.registers": [VIT_DEFAULTS.registers, "it has no tokens beside its map"],
  "model.layer_scale": [VIT_DEFAULTS.layerScale, "its blocks have none"],
  "model.mlp": [VIT_DEFAULTS.mlp, "its blocks have no MLP"],
  "model.mlp_hidden_dim": [null, "its blocks have no MLP"],
  "model.pos_embed": [VIT_DEFAULTS.posEmbed, "its map needs no positions"],
  "model.qkv_bias": [VIT_DEFAULTS.qkvBias, "it has no attention"],
  "model.fc_norm": [VIT_DEFAULTS.fcNorm, "it has no final norm"],
  "model.freeze_blocks": [0, "blocks of vision transformers alone can be frozen"],
  "loss.ibot_weight": [0, "it has no mask token"],
  "loss.gram_weight": [0, "Gram anchoring is for patch tokens of vision transformers"],
  "optimizer.layer_decay": [1, "rates by depth are for blocks of vision transformers"],
  "training.recompute": [false, "its blocks would move their running statistics twice"],
};

/** Its maps are f32: batch norm and pooling have no kernels for others. */
const PRECISION: Rule = {
  keys: ["device.precision", "model.backbone"],
  text: "`device.precision` is not f16 with a ResNet: its maps are f32.",
  check({ device, model }) {
    if (device.precision !== "f16" || !resnetLayers(model.backbone)) return;
    return `expected auto or f32, as model.backbone is ${model.backbone}: batch norm and pooling have no kernels for halves - leave it out`;
  },
};

/** One for each of them. */
export const RESNET_RULES: readonly Rule[] = Object.entries(ABSENT).map((
  [key, [value, why]],
): Rule => ({
  keys: [key, "model.backbone"],
  text: `\`${key}\` is ${value} with a ResNet: ${why}.`,
  check(config) {
    const found = valueAt(config, key);
    if (found === value || !resnetLayers(config.model.backbone)) return;
    return `expected ${value}, as model.backbone is ${config.model.backbone}: ${why} - leave it out`;
  },
})).concat(PRECISION);
