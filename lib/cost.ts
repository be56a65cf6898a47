/**
 * What a training step costs, from its shapes alone: before anything is allocated.
 *
 * @module
 */
import type { DinoModel } from "./model/mod.ts";
import { sizeOf } from "./gpu/tensor.ts";
import { defaultChunk } from "./loss/head.ts";
import { aligned, spansOf } from "./model/spans.ts";

/** Views of one size. */
export interface ViewShape {
  /** Side in pixels. */
  size: number;
  /** How many of them each picture has. */
  count: number;
}

/** What a step is made of. */
export interface StepShape {
  /** Pictures of a step, or of each of its micro-batches. */
  batch: number;
  /** Global views first. */
  views: readonly ViewShape[];
  /** Columns of the last layer made at once; by default as the loss chooses. */
  chunkSize?: number;
  /** Micro-batches of a step; 1 by default. */
  accumulation?: number;
  /** Whether the student's activations are made again in the backward pass; they are not by default. */
  recompute?: boolean;
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
 * views and only forward. Of the last block only the class token goes on after attention. Recomputing makes all
 * blocks but the last again, without their last product.
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
export function stepCost(model: DinoModel, shape: StepShape): StepCost {
  const { accumulation = 1 } = shape;
  const parameters = sum(model.specs().map((spec) => sizeOf(spec.shape)));
  const adding = accumulation > 1 ? parameters : 0;
  return {
    parameters,
    // Norms, AdamW and moving average come once.
    flops: accumulation * (flopsOf(model, shape) + adding) + 20 * parameters,
    stateBytes: 4 * 5 * parameters,
    temporaryBytes: 4 * slots(momentsOf(model, shape)),
  };
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** Crops of one size. */
interface Group {
  rows: number;
  patches: number;
  tokens: number;
}

/** Crops by size, rows of both networks' heads, and columns of the last layer that are made at once. */
function sizesOf(model: DinoModel, { batch, views, chunkSize }: StepShape) {
  const groups = views.map(({ size, count }): Group => {
    const patches = (size / model.vit.config.patchSize) ** 2;
    return { rows: batch * count, patches, tokens: patches + 1 };
  });
  const rows = sum(groups.map((group) => group.rows));
  const teacherRows = groups[0].rows;
  const { outDim, bottleneckDim } = model.head.config;
  const usual = defaultChunk(outDim, rows + teacherRows, bottleneckDim);
  return { groups, rows, teacherRows, chunk: Math.min(outDim, chunkSize ?? usual) };
}

/** FLOPs of both networks and the loss. */
function flopsOf(model: DinoModel, shape: StepShape): number {
  const { groups, rows, teacherRows, chunk } = sizesOf(model, shape);
  const { dim, depth, patchSize, inChans, mlpRatio } = model.vit.config;
  const { hiddenDim, bottleneckDim, layers, outDim } = model.head.config;
  const hidden = mlpRatio * dim;
  const crop = ({ patches, tokens: n }: Group) => {
    const attention = (product: number, blocks = depth) => blocks * product * n * n * dim;
    const after = dim * dim + 2 * dim * hidden; // projection and MLP, per token
    const linear = 2 * (depth * 3 * dim * dim * n + ((depth - 1) * n + 1) * after);
    const embed = 2 * patches * inChans * patchSize ** 2 * dim;
    const again = 2 * n * (depth - 1) * (4 * dim * dim + dim * hidden) + attention(4, depth - 1);
    return {
      forward: embed + linear + attention(4),
      backward: embed + 2 * linear + attention(14) + (shape.recompute ? again : 0),
    };
  };
  const mlp = layers === 1
    ? dim * bottleneckDim
    : dim * hiddenDim + (layers - 2) * hiddenDim ** 2 + hiddenDim * bottleneckDim;
  const again = chunk < outDim ? 2 : 1; // logits that were not kept are made a second time
  const last = 2 * outDim * bottleneckDim;
  return sum(groups.map((group, i) => {
    const { forward, backward } = crop(group);
    return group.rows * (forward * (i === 0 ? 2 : 1) + backward);
  })) +
    teacherRows * (2 * mlp + again * last) + rows * (6 * mlp + (again + 2) * last) +
    15 * outDim * (rows + teacherRows) + // softmax and its gradient
    3 * (again + 1) * last; // weight norm
}

/** Sizes of what lives at once, at each of some moments of which one needs the most. */
function momentsOf(model: DinoModel, shape: StepShape): number[][] {
  const { groups, rows, teacherRows, chunk } = sizesOf(model, shape);
  const { dim, depth, patchSize, inChans, mlpRatio } = model.vit.config;
  const { hiddenDim, bottleneckDim, layers, outDim } = model.head.config;
  const times = (n: number, ...values: number[]) => Array<number[]>(n).fill(values).flat();

  // One matrix of tokens, or one per crop size.
  const spans = spansOf(groups.map(({ rows: count, tokens }) => ({ count, tokens })));
  const packs = aligned(spans, dim) ? [groups] : groups.map((group) => [group]);
  const tokens = packs.map((pack) => sum(pack.map(({ rows, tokens }) => rows * tokens)) * dim);
  const attention = (size: number) => [size, 3 * size, size]; // norm, q k v, what it gives
  const mlp = (size: number) => [size, size, ...times(2, size * mlpRatio)]; // sum, norm, around GELU
  const block = (size: number) => [...attention(size), ...mlp(size), size];
  const inputs = groups.map(({ rows, patches }) => rows * patches * inChans * patchSize ** 2);
  const before = [
    ...inputs,
    ...tokens,
    ...tokens.flatMap((size) => times(depth - 1, ...(shape.recompute ? [size] : block(size)))),
  ];
  const last = packs.map((pack, i) => {
    const classes = sum(pack.map(({ rows }) => rows)) * dim;
    return [...attention(tokens[i]), ...mlp(classes), classes];
  });
  const kept = [...before, ...last.flat()];

  const head = [...times(2 * (layers - 1), rows * hiddenDim), ...times(3, rows * bottleneckDim)];
  // Normalised weights: those of both networks and their gradient for every chunk anew, but one after the other
  // where there is a single chunk.
  const weights = times(chunk < outDim ? 3 : 1, chunk * bottleneckDim);
  // What is added to a gradient is made beside it, where the adapter's products do not add by themselves.
  const products = model.specs().filter(({ name }) => !name.startsWith("head.last_layer."));
  const added = Math.max(...products.map(({ shape }) => sizeOf(shape)));
  return [
    [...kept, ...head, chunk * rows, chunk * teacherRows, ...weights],
    [...kept, ...head, ...times((shape.accumulation ?? 1) > 1 ? 1 : 0, added)],
    [...kept, 3 * tokens[0], tokens[0]],
    [...before, ...last.slice(1).flat(), ...(shape.recompute ? block(tokens[0]) : [tokens[0]])],
  ];
}

/** What slots take that hold what lives at each of some moments: the largest of each share one, and so on. */
function slots(moments: readonly (readonly number[])[]): number {
  const sorted = moments.map((sizes) => sizes.toSorted((a, b) => b - a));
  const most = Math.max(...sorted.map(({ length }) => length));
  return sum(
    Array.from({ length: most }, (_, k) => Math.max(...sorted.map((sizes) => sizes[k] ?? 0))),
  );
}
