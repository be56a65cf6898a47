/**
 * Rules that keep out what no machine can hold. They are lower bounds from shapes alone, so that such a
 * configuration is refused before anything is opened, recorded or allocated for it.
 *
 * @module
 */

import { featureDim } from "../model/feature.ts";
import { resnetParameters } from "../model/resnet_shape.ts";
import type { ParsedConfig, Rule } from "./rule.ts";
import { resnetShapeOf } from "./backbones.ts";

/** Bytes that no GPU has: 1 TiB. */
const MOST_BYTES = 2 ** 40;
/** Views of one size: as many workgroups as WebGPU starts along a dimension. */
const MOST_VIEWS = 65535;

/** Parts of a model with the key that decides most of their size. */
export interface ModelSize {
  /** Key of the configuration. */
  key: string;
  /** Numbers that it holds. */
  parameters: number;
}

interface Shape {
  dim: number;
  depth: number;
}

/** Numbers of one network, by part: as the specifications of its tensors, without making them. */
export function modelSize(
  { model, augmentation, loss }: Pick<ParsedConfig, "model" | "augmentation" | "loss">,
  { dim, depth }: Shape,
): ModelSize[] {
  const {
    in_chans: channels,
    patch_size: patch,
    projection_hidden_dim: hidden,
    projection_bottleneck_dim: bottleneck,
    projection_output_dim: outputs,
    projection_layers: layers,
  } = model;
  const grid = augmentation.global_crop_size / patch;
  const linear = (inputs: number, out: number) => inputs * out + out;
  const wide = model.mlp_hidden_dim ?? dim * model.mlp_ratio;
  const qkv = linear(dim, 3 * dim) - (model.qkv_bias === "none" ? 3 * dim : 0);
  const block = 4 * dim + qkv + linear(dim, dim) + (model.layer_scale === null ? 0 : 2 * dim) +
    linear(dim, model.mlp === "swiglu" ? 2 * wide : wide) + linear(wide, dim);
  const mlp = (inputs: number, hidden: number, out: number, layers: number) =>
    layers === 1
      ? linear(inputs, out)
      : linear(inputs, hidden) + (layers - 2) * linear(hidden, hidden) + linear(hidden, out);
  const tokens = +model.class_token + model.registers;
  const positions = model.pos_embed === "rope" ? 0 : +model.class_token + grid * grid;
  const alone = loss.objective === "infonce";
  const head = mlp(featureDim(model.feature, dim), hidden, bottleneck, layers);
  const contrastive = mlp(
    featureDim(loss.contrastive_feature ?? model.feature, dim),
    model.contrastive_hidden_dim,
    model.contrastive_output_dim,
    model.contrastive_layers,
  ) + +loss.contrastive_temp_learned;
  const resnet = resnetShapeOf(model, augmentation.global_crop_size);
  const backbone = resnet ? [{ key: "model.backbone", parameters: resnetParameters(resnet) }] : [
    { key: "augmentation.global_crop_size", parameters: dim * (tokens + positions) },
    { key: "model.patch_size", parameters: linear(channels * patch * patch, dim) },
    { key: "model.dim", parameters: depth * block + 2 * dim },
  ];
  return [
    ...backbone,
    { key: "model.projection_hidden_dim", parameters: alone ? 0 : head },
    {
      key: "model.projection_output_dim",
      parameters: alone ? 0 : outputs + outputs * bottleneck,
    },
    {
      key: "model.contrastive_hidden_dim",
      parameters: alone || loss.contrastive_weight > 0 ? contrastive : 0,
    },
  ];
}

/**
 * Bytes that training takes at least: weights of student and teacher, gradients and both moments; the views of a
 * batch, and the tokens that each block keeps of them.
 */
export function leastBytes(
  config: Pick<ParsedConfig, "data" | "augmentation" | "model" | "loss">,
  shape: Shape,
): { model: number; views: number; parts: ModelSize[] } {
  const { data, augmentation: a, model } = config;
  const parts = modelSize(config, shape);
  const parameters = parts.reduce((sum, part) => sum + part.parameters, 0);
  const each = (side: number) => {
    const resnet = resnetShapeOf(model, side);
    if (resnet) return (model.in_chans + resnet.width / 4) * side * side;
    const tokens = +model.class_token + model.registers + (side / model.patch_size) ** 2;
    return model.in_chans * side * side + tokens * shape.dim * shape.depth;
  };
  const views = a.n_global_crops * each(a.global_crop_size) +
    a.num_local_views * each(a.local_crop_size);
  const batch = data.batch_size === "auto" ? 1 : data.batch_size;
  return { model: 20 * parameters, views: 4 * batch * views, parts };
}

const tib = (bytes: number) => `${Number((bytes / 2 ** 40).toPrecision(3))} TiB`;

const SHAPE = ["model.dim", "model.depth", "model.heads", "model.backbone"];
/** What decides most, where `preset: auto` chooses the rest. */
const CHOSEN = ["model.dim", "model.depth"];

/** The views of one size, of a batch. */
function viewsAtOnce(name: "n_global_crops" | "num_local_views"): Rule {
  return {
    keys: ["data.batch_size", `augmentation.${name}`],
    text: `\`data.batch_size\` × \`augmentation.${name}\` is at most ${MOST_VIEWS}.`,
    check({ data: { batch_size: batch }, augmentation }) {
      const each = augmentation[name];
      if (batch === "auto" || batch * each <= MOST_VIEWS) return;
      return `expected at most ${
        Math.floor(MOST_VIEWS / each)
      }, as augmentation.${name} is ${each}, but found ` +
        `${batch} - training.gradient_accumulation_steps makes larger steps`;
    },
  };
}

/** Every rule of sizes. `shapeOf` fills in what the backbone says. */
export function sizeRules(
  shapeOf: (model: ParsedConfig["model"]) => Shape,
): readonly Rule[] {
  return [
    {
      keys: [
        ...SHAPE,
        "model.mlp_ratio",
        "model.mlp_hidden_dim",
        "model.patch_size",
        "model.in_chans",
        "augmentation.global_crop_size",
        "model.projection_hidden_dim",
        "model.projection_bottleneck_dim",
        "model.projection_output_dim",
        "model.projection_layers",
        "model.feature",
        "model.contrastive_hidden_dim",
        "model.contrastive_output_dim",
        "model.contrastive_layers",
        "loss.objective",
        "loss.contrastive_weight",
        "loss.contrastive_feature",
        "loss.contrastive_temp_learned",
      ],
      chosen: CHOSEN,
      text:
        "The model's weights, twice, its gradients and AdamW's moments take 1 TiB at most: 20 bytes a parameter.",
      check(config) {
        const { model, parts } = leastBytes(config, shapeOf(config.model));
        if (model <= MOST_BYTES) return;
        const [{ key }] = parts.toSorted((a, b) => b.parameters - a.parameters);
        const parameters = (model / 20).toPrecision(3);
        return {
          key,
          what: `expected a model of 1 TiB at most, with its gradients and moments, but found ${
            tib(model)
          }: it has ${parameters} parameters, most of them here`,
        };
      },
    },
    viewsAtOnce("n_global_crops"),
    viewsAtOnce("num_local_views"),
    {
      keys: [
        "data.batch_size",
        "augmentation.n_global_crops",
        "augmentation.num_local_views",
        "augmentation.global_crop_size",
        "augmentation.local_crop_size",
        ...SHAPE,
        "model.patch_size",
        "model.in_chans",
      ],
      chosen: CHOSEN,
      text: "The views of a batch and the tokens that each block keeps of them take 1 TiB at most.",
      check(config) {
        const { views } = leastBytes(config, shapeOf(config.model));
        if (views <= MOST_BYTES) return;
        return `expected views and their tokens of 1 TiB at most but found ${
          tib(views)
        } - lower it, ` +
          "the crop sizes, model.dim or model.depth";
      },
    },
  ];
}
