/**
 * What a training step costs, from its shapes alone: before anything is allocated.
 *
 * @module
 */
import type { DinoModel } from "./model/mod.ts";
import { sizeOf } from "./gpu/tensor.ts";
import { defaultChunk } from "./loss/head.ts";

/** Views of one size. */
export interface ViewShape {
  /** Side in pixels. */
  size: number;
  /** How many of them each picture has. */
  count: number;
}

/** What a step is made of. */
export interface StepShape {
  /** Pictures per step. */
  batch: number;
  /** Global views first. */
  views: readonly ViewShape[];
  /** Columns of the last layer made at once; by default as the loss chooses. */
  chunkSize?: number;
}

/** What {@linkcode stepCost} tells. */
export interface StepCost {
  /** Trainable and fixed numbers of one network. */
  parameters: number;
  /** Floating-point operations of a step, a multiply-add counting as two. */
  flops: number;
  /** Bytes of everything that outlives a step: both networks, gradients, both moments. */
  stateBytes: number;
  /** Bytes of what a step keeps for its backward pass, with what that pass needs besides at its start. */
  temporaryBytes: number;
}

/**
 * FLOPs and bytes of a step of {@linkcode Trainer}, without augmentation: within 10 % of what the recorded
 * program then counts and allocates, which tests check.
 *
 * A linear layer takes 2 · in · out FLOPs a token forward and twice as many backward; attention 4 · N² · D a
 * picture forward and 14 · N² · D backward, for its probabilities are made again. The teacher sees the global
 * views and only forward. Of the last block only the class token goes on after attention.
 *
 * @example
 * ```ts
 * import { stepCost } from "./cost.ts";
 * import { DinoModel } from "./model/mod.ts";
 *
 * const model = new DinoModel({ imageSize: 32, patchSize: 4, dim: 192, depth: 6, heads: 3 }, { outDim: 4096 });
 * const views = [{ size: 32, count: 2 }, { size: 16, count: 6 }];
 * const { flops, stateBytes } = stepCost(model, { batch: 16, views });
 * console.log((flops / 1e9).toFixed(0), (stateBytes / 2 ** 20).toFixed(0)); // GFLOP, MiB
 * ```
 */
export function stepCost(model: DinoModel, { batch, views, chunkSize }: StepShape): StepCost {
  const { dim, depth, patchSize, inChans, mlpRatio } = model.vit.config;
  const { hiddenDim, bottleneckDim, layers, outDim } = model.head.config;
  const parameters = model.specs().reduce((sum, { shape }) => sum + sizeOf(shape), 0);

  // Per picture of one view: [forward, backward] FLOPs, and floats kept for the backward pass.
  const hidden = mlpRatio * dim;
  const view = (size: number) => {
    const patches = (size / patchSize) ** 2;
    const n = patches + 1;
    const pixels = inChans * patchSize ** 2;
    const attention = (product: number) => depth * product * n * n * dim;
    const after = dim * dim + 2 * dim * hidden; // projection and MLP, per token
    const linear = 2 * (depth * 3 * dim * dim * n + ((depth - 1) * n + 1) * after);
    const embed = 2 * patches * pixels * dim;
    return {
      forward: embed + linear + attention(4),
      backward: embed + 2 * linear + attention(14),
      // Norms, q, k, v, attention, two sums and the hidden layer before and after GELU.
      kept: patches * pixels + n * dim + depth * n * 5 * dim +
        ((depth - 1) * n + 1) * (3 * dim + 2 * hidden),
      gradient: n * (2 * dim + Math.max(3 * dim, hidden)),
    };
  };
  const rows = batch * views.reduce((sum, { count }) => sum + count, 0);
  const teacherRows = batch * views[0].count;

  const mlp = layers === 1
    ? dim * bottleneckDim
    : dim * hiddenDim + (layers - 2) * hiddenDim ** 2 + hiddenDim * bottleneckDim;
  const chunk = Math.min(
    outDim,
    chunkSize ?? defaultChunk(outDim, rows + teacherRows, bottleneckDim),
  );
  const again = chunk < outDim ? 2 : 1; // logits that were not kept are made a second time
  const last = 2 * outDim * bottleneckDim;

  let flops = teacherRows * (2 * mlp + again * last) + rows * (6 * mlp + (again + 2) * last);
  let kept = rows * (2 * (layers - 1) * hiddenDim + 3 * bottleneckDim);
  let gradient = 0;
  views.forEach(({ size, count }, i) => {
    const cost = view(size);
    flops += batch * count * (cost.forward * (i === 0 ? 2 : 1) + cost.backward);
    kept += batch * count * cost.kept;
    gradient = Math.max(gradient, batch * count * cost.gradient);
  });
  // Logits, and normalised weights: those of both networks and their gradient for every chunk anew, but one
  // after the other where there is a single chunk.
  const weights = (chunk < outDim ? 3 : 1) * bottleneckDim;
  const lastLayer = chunk * (rows + teacherRows + weights);
  flops += 20 * parameters; // norms, AdamW, moving average
  flops += 15 * outDim * (rows + teacherRows); // softmax and its gradient
  return {
    parameters,
    flops,
    stateBytes: 4 * 5 * parameters,
    temporaryBytes: 4 * (kept + Math.max(gradient, lastLayer)),
  };
}
