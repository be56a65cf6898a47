/**
 * What a picture costs, by shapes alone: good enough to compare settings, and known before there is a GPU.
 *
 * @module
 */
import type { Config } from "../config.ts";

/** What decides the cost of a picture. */
export type Shapes = Pick<Config, "augmentation" | "evaluation" | "model">;

/** Floating-point operations of a backbone for one view, forwards. */
export function viewFlops({ model }: Pick<Shapes, "model">, side: number): number {
  const { dim, depth, in_chans, mlp_ratio, patch_size: patch } = model;
  const patches = (side / patch) ** 2, tokens = 1 + patches;
  const block = (out: number) =>
    // of the last one only the class token goes on after attention
    dim * dim * (6 * tokens + (2 + 4 * mlp_ratio) * out) + 4 * tokens * out * dim;
  return (depth - 1) * block(tokens) + block(1) + 2 * patches * in_chans * patch * patch * dim;
}

/**
 * Floating-point operations of a picture in training: the teacher sees its global views, the student all of them,
 * and twice as much again goes into the gradients.
 */
export function pictureFlops(shapes: Shapes): number {
  const { augmentation: a, model } = shapes;
  const { projection_hidden_dim: hidden, projection_bottleneck_dim: bottleneck } = model;
  const layers = model.projection_layers;
  const mlp = layers === 1
    ? model.dim * bottleneck
    : model.dim * hidden + (layers - 2) * hidden * hidden + hidden * bottleneck;
  const head = 2 * (mlp + bottleneck * model.projection_output_dim);
  const global = a.n_global_crops * (viewFlops(shapes, a.global_crop_size) + head);
  const local = a.num_local_views * (viewFlops(shapes, a.local_crop_size) + head);
  return global + 3 * (global + local);
}

/**
 * How long the evaluation at the end of a run takes, in epochs: the teacher and the untrained model see every picture
 * once and, for view retrieval, a crop of it.
 */
export function evaluationShare(shapes: Shapes, pictures: number): number {
  const { max_images, view_retrieval } = shapes.evaluation;
  const share = Math.min(1, (max_images ?? Infinity) / pictures);
  const passes = 2 * (view_retrieval ? 2 : 1);
  return share * passes * viewFlops(shapes, shapes.augmentation.global_crop_size) /
    pictureFlops(shapes);
}
