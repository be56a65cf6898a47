/**
 * What a picture costs, by shapes alone: good enough to compare settings, and known before there is a GPU.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { resnetShapeOf } from "../config/backbones.ts";
import { type Feature, featureParts } from "../model/feature.ts";
import { resnetFlops } from "../model/resnet_shape.ts";

/** What decides the cost of a picture. */
export type Shapes = Pick<Config, "augmentation" | "evaluation" | "loss" | "model">;

/** Operations of a backbone for one view, forwards; of the last block only the class token may go on. */
function viewFlops({ model }: Shapes, side: number, feature: Feature): number {
  const { dim, depth, in_chans, patch_size: patch } = model;
  const resnet = resnetShapeOf(model, side);
  if (resnet) return resnetFlops(resnet);
  const patches = (side / patch) ** 2, tokens = +model.class_token + model.registers + patches;
  const hidden = model.mlp_hidden_dim ?? dim * model.mlp_ratio;
  const mlp = (model.mlp === "swiglu" ? 6 : 4) * dim * hidden;
  const block = (out: number) =>
    dim * dim * (6 * tokens + 2 * out) + mlp * out + 4 * tokens * out * dim;
  const last = block(feature === "class" ? 1 : tokens);
  return (depth - 1) * block(tokens) + last + 2 * patches * in_chans * patch * patch * dim;
}

/** Operations of linear layers for one row, forwards. */
function layersFlops(from: number, hidden: number, to: number, layers: number): number {
  if (layers === 1) return 2 * from * to;
  return 2 * (from * hidden + (layers - 2) * hidden * hidden + hidden * to);
}

function widthOf(feature: Feature, dim: number): number {
  const { classTokens, cells } = featureParts(feature);
  return dim * (classTokens + cells * cells);
}

/** Whether an InfoNCE term takes part. */
export const isContrastive = ({ loss }: Pick<Config, "loss">): boolean =>
  loss.objective === "infonce" || loss.contrastive_weight > 0;

/**
 * Floating-point operations of a picture in training: the teacher sees its global views, the student all of them,
 * and twice as much again goes into the gradients.
 */
export function pictureFlops(shapes: Shapes): number {
  const { augmentation: a, loss, model: m } = shapes;
  const dino = loss.objective === "dino", term = isContrastive(shapes);
  const read = loss.contrastive_feature;
  const whole = term && read !== "class" ? read : m.feature;
  const head = dino
    ? layersFlops(
      widthOf(m.feature, m.dim),
      m.projection_hidden_dim,
      m.projection_bottleneck_dim,
      m.projection_layers,
    ) + 2 * m.projection_bottleneck_dim * m.projection_output_dim
    : 0;
  const projector = term
    ? layersFlops(
      widthOf(read, m.dim),
      m.contrastive_hidden_dim,
      m.contrastive_output_dim,
      m.contrastive_layers,
    )
    : 0;
  const heads = head + projector;
  // Of frozen blocks, and of what comes before them, there are no gradients.
  const trained = { ...shapes, model: { ...m, depth: m.depth - m.freeze_blocks, in_chans: 0 } };
  const student = (side: number) => {
    const forward = viewFlops(shapes, side, whole) + heads;
    return m.freeze_blocks === 0
      ? 3 * forward
      : forward + 2 * (m.freeze_blocks < m.depth ? viewFlops(trained, side, whole) : 0) + 2 * heads;
  };
  const keys = loss.contrastive_teacher && term;
  const teacher = dino || keys
    ? viewFlops(shapes, a.global_crop_size, keys ? whole : m.feature) + head +
      (keys ? projector : 0)
    : 0;
  return a.n_global_crops * (student(a.global_crop_size) + teacher) +
    a.num_local_views * student(a.local_crop_size);
}

/**
 * How long the evaluation at the end of a run takes, in epochs: the teacher and the untrained model see every picture
 * once and, for view retrieval, a crop of it.
 */
export function evaluationShare(shapes: Shapes, pictures: number): number {
  const { max_images, view_retrieval, feature } = shapes.evaluation;
  const share = Math.min(1, (max_images ?? Infinity) / pictures);
  const passes = 2 * (view_retrieval ? 2 : 1);
  const side = shapes.augmentation.global_crop_size;
  return share * passes * viewFlops(shapes, side, feature ?? shapes.model.feature) /
    pictureFlops(shapes);
}
