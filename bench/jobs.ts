/**
 * What is timed: plain data, so that any contender, in this process or another, can be asked for it.
 *
 * @module
 */
import type { ResNetConfig, ViTConfig } from "../lib/model.ts";

/** C = op(A) · op(B), [m, k] · [k, n]. */
export interface MatmulJob {
  op: "matmul";
  m: number;
  k: number;
  n: number;
  transA: boolean;
  transB: boolean;
}

/** Self-attention of qkv [batch, tokens, 3 · heads · headDim]; with `grad` also its gradient. */
export interface AttentionJob {
  op: "attention";
  batch: number;
  tokens: number;
  heads: number;
  headDim: number;
  grad: boolean;
}

/** A row kernel over [rows, cols]. */
export interface RowsJob {
  op: "layer_norm" | "layer_norm_grad" | "softmax" | "gelu";
  rows: number;
  cols: number;
}

/** An update of `size` parameters. */
export interface UpdateJob {
  op: "adamw" | "ema";
  size: number;
}

/** The DINO loss of logits, its gradient and the centre's move. */
export interface LossJob {
  op: "loss";
  views: number;
  globals: number;
  batch: number;
  outDim: number;
}

/** Shape of a whole step. */
export interface StepJobShape {
  /** Images per batch. */
  batch: number;
  /** The backbone; `imageSize` is that of the global views. */
  vit: ViTConfig;
  /** The head. */
  head: { outDim: number; hiddenDim: number; bottleneckDim: number };
  /** Number of global views. */
  globals: number;
  /** Number of local views. */
  locals: number;
  /** Pixels per side of a local view. */
  localSize: number;
}

/** A whole training step on given crops, without augmentation. */
export interface StepJob extends StepJobShape {
  op: "step";
}

/** A backbone: a vision transformer or a ResNet. */
export type BackboneShape = { vit: ViTConfig } | { resnet: ResNetConfig };

/**
 * Features of `batch` pictures, class tokens or pooled maps; with `grad` also the gradients of all parameters from a
 * given one of the features, batch norms by the batch then.
 */
export interface BackboneJob {
  op: "backbone";
  model: BackboneShape;
  batch: number;
  grad: boolean;
}

/** A single operation. */
export type OpJob = MatmulJob | AttentionJob | RowsJob | UpdateJob | LossJob;

/** Any of them. */
export type Job = OpJob | StepJob | BackboneJob;

/** Constants that all contenders use in a step. */
export const STEP = {
  studentTemp: 0.1,
  teacherTemp: 0.04,
  centerMomentum: 0.9,
  clip: 3,
  lr: 1e-3,
  weightDecay: 0.04,
  momentum: 0.996,
  betas: [0.9, 0.999],
  eps: 1e-8,
  layerNormEps: 1e-6,
} as const;

/** Seeds of {@linkcode values}: first input, second input, and so on. */
export const SEED = { a: 1, b: 2, c: 3, d: 4 } as const;

/** Crops are uniform in ± half of this. */
export const CROP_SCALE = 4;

/** Logits are uniform in ± half of this. */
export const LOGIT_SCALE = 4;

/** Shapes of the crops, view-major, global ones first. */
export function cropShapes(step: StepJobShape): [number, number, number, number][] {
  const { batch, vit: { imageSize, inChans = 3 }, globals, locals, localSize } = step;
  const shapes: [number, number, number, number][] = [
    [globals * batch, inChans, imageSize, imageSize],
  ];
  if (locals) shapes.push([locals * batch, inChans, localSize, localSize]);
  return shapes;
}
