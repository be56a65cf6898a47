/**
 * A linear probe by gradient descent, with the settings of facebookresearch/dino's eval_linear.py.
 *
 * @module
 */
import gradientCode from "../../kernels/class_gradient.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Program, record, type Tensor } from "../gpu.ts";
import { matmul } from "../ops/matmul.ts";
import { softmax } from "../ops/softmax.ts";
import { SGD_STEP } from "../optim/sgd.ts";
import { Rng } from "../rng.ts";
import type { FeatureArray } from "./features.ts";
import type { ProbeResult } from "./ridge.ts";
import { GpuRows } from "./rows.ts";
import { checkClasses, classRank, type LabeledFeatures, standardizer } from "./standardize.ts";

const CLASS_GRADIENT = defineKernel("class_gradient", gradientCode);

/** Rows of a batch. */
const BATCH = 128;

/** Steps of the recorded program, fewer where their rows take more bytes than this. */
const STEPS = 64, CHUNK = 32 * 2 ** 20;

/** Programs between two waits for the GPU. */
const QUEUED = 8;

/** Addresses of the random numbers: weights, and the order of each epoch. */
const WEIGHTS = 0x77, ORDER = 0x6f;

/** Options of {@linkcode linearProbe}. */
export interface LinearProbeOptions {
  /** Passes over the training rows, ≥ 1. Default 100. */
  epochs?: number;
  /** Learning rate per 256 rows of a batch, > 0; a batch has 128. Default 0.001. */
  lr?: number;
  /** Seed of weights and orders. Default 0. */
  seed?: number;
  /** Called with the steps done and all steps, now and then. */
  onProgress?: (done: number, total: number) => void;
}

/** Result of {@linkcode linearProbe}. */
export interface LinearProbeResult extends ProbeResult {
  /** Weights of the standardised features and, last, the bias: [C, D + 1]. */
  weights: FeatureArray;
}

/**
 * Trains one linear layer with cross-entropy and judges the test rows after the last epoch: SGD with momentum 0.9
 * and no weight decay, batches of 128, the rate lr · 128 / 256 falling along half a cosine by epoch; weights
 * N(0, 0.01), bias 0. The inputs are standardised by the training rows, and stay the same in all epochs: there is
 * no augmentation, and it is the features of one layer, where eval_linear.py crops and flips anew each epoch,
 * joins the class tokens of the last four blocks for ViT-S, and reports the best epoch on the test set.
 * The same seed on the same adapter gives the same result.
 *
 * @param train Rows to learn from, [n, D].
 * @param test Rows to judge, [m, D].
 * @throws {HatchlingError} When sizes do not fit, an option is out of range, features are not finite, or there
 * are fewer than two classes.
 *
 * @example
 * ```ts
 * import { linearProbe } from "@hatchling/hatchling/eval";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * const rows = {
 *   features: { data: Float32Array.of(-3, -2, 2, 3), shape: [4, 1] },
 *   labels: [0, 0, 1, 1],
 * };
 * const { top1 } = await linearProbe(gpu, rows, rows, { epochs: 20, lr: 1 });
 * console.assert(top1 === 100);
 * gpu.destroy();
 * ```
 *
 * @category Evaluation
 */
export async function linearProbe(
  gpu: Gpu,
  train: LabeledFeatures,
  test: LabeledFeatures,
  options: LinearProbeOptions = {},
): Promise<LinearProbeResult> {
  const { epochs = 100, lr = 0.001, seed = 0, onProgress } = options;
  if (!Number.isInteger(epochs) || epochs < 1 || !(lr > 0 && lr < Infinity)) {
    throw new HatchlingError(
      `Expected whole epochs ≥ 1 and a rate > 0 for the linear probe but found ${epochs} and ${lr}`,
    );
  }
  const classes = checkClasses(train, 2);
  const standardize = standardizer(train.features);
  const rows = withOnes(standardize(train.features));
  const judged = withOnes(standardize(test.features));
  const [n, width] = rows.shape;
  const dim = train.features.shape[1];
  const first = new Float32Array(classes * width);
  const rng = new Rng(seed, WEIGHTS);
  for (let c = 0; c < classes; c++) {
    for (let d = 0; d < dim; d++) first[c * width + d] = 0.01 * rng.normal();
  }
  const perEpoch = Math.ceil(n / BATCH), total = epochs * perEpoch;
  const steps = Math.max(1, Math.min(STEPS, total, Math.floor(CHUNK / (4 * BATCH * width))));
  const trainer = await Trainer.make(gpu, first, classes, width, steps);
  let weights: Float32Array;
  try {
    let order: Uint32Array = new Uint32Array(0);
    for (let from = 0, chunk = 1; from < total; from += steps, chunk++) {
      const here = Math.min(steps, total - from);
      trainer.clear();
      for (let s = 0; s < here; s++) {
        const epoch = Math.floor((from + s) / perEpoch), batch = (from + s) % perEpoch;
        if (batch === 0) order = new Rng(seed, ORDER, epoch).permutation(n);
        trainer.fill(
          s,
          rows,
          train.labels,
          order.subarray(batch * BATCH, Math.min(n, (batch + 1) * BATCH)),
          lr * BATCH / 256 * (1 + Math.cos(Math.PI * epoch / epochs)) / 2,
        );
      }
      trainer.run();
      if (chunk % QUEUED === 0) {
        await gpu.idle();
        onProgress?.(from + here, total);
      }
    }
    weights = await trainer.weight.read();
  } finally {
    trainer.destroy();
  }
  const bad = weights.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new HatchlingError(
      `Expected a linear probe of finite weights but found ${weights[bad]}: lower its rate, ${lr}`,
    );
  }
  const onGpu = new GpuRows(gpu, judged, classes);
  let top1 = 0, top5 = 0;
  try {
    await onGpu.times(weights, (row, outputs, at) => {
      const rank = classRank(outputs, at, classes, test.labels[row]);
      if (rank === 0) top1++;
      if (rank < 5) top5++;
    });
  } finally {
    onGpu.destroy();
  }
  const [m] = judged.shape;
  const data = new Float32Array(classes * (dim + 1));
  for (let c = 0; c < classes; c++) {
    data.set(weights.subarray(c * width, c * width + dim + 1), c * (dim + 1));
  }
  return {
    top1: 100 * top1 / m,
    top5: 100 * top5 / m,
    rows: m,
    weights: { data, shape: [classes, dim + 1] },
  };
}

/** A column of ones, whose weight is the bias, and zeros up to whole vec4s. */
function withOnes({ data, shape: [rows, dim] }: FeatureArray): FeatureArray {
  const width = Math.ceil((dim + 1) / 4) * 4;
  const out = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    out.set(data.subarray(r * dim, (r + 1) * dim), r * width);
    out[r * width + dim] = 1;
  }
  return { data: out, shape: [rows, width] };
}

/** Some steps, recorded once, and the batches of their next run. */
class Trainer {
  /** [C, width]. */
  readonly weight: Tensor;
  readonly #tensors: Tensor[];
  readonly #arrays: [Float32Array, Uint32Array, Float32Array, Float32Array];
  readonly #width: number;
  #program?: Program<unknown>;

  private constructor(
    gpu: Gpu,
    first: Float32Array,
    classes: number,
    width: number,
    steps: number,
  ) {
    const rows = steps * BATCH;
    this.#width = width;
    this.#arrays = [
      new Float32Array(rows * width),
      new Uint32Array(rows),
      new Float32Array(rows),
      new Float32Array(4 * (steps + 1)), // after a flag that is never set
    ];
    this.#tensors = this.#arrays.map((array, i) =>
      gpu.persistent([array.length], ["rows", "labels", "row weights", "rates"][i])
    );
    this.weight = gpu.tensor(first, [classes, width], "probe");
    this.#tensors.push(this.weight, gpu.persistent([classes, width], "velocity"));
  }

  static async make(gpu: Gpu, first: Float32Array, classes: number, width: number, steps: number) {
    const trainer = new Trainer(gpu, first, classes, width, steps);
    const [batches, labels, rowWeights, rates, weight, velocity] = trainer.#tensors;
    try {
      trainer.#program = await record(gpu, () => {
        // One tensor of one group, at the rate itself, without decay.
        const [whole] = new Uint32Array(Float32Array.of(1).buffer);
        const granules = Math.ceil(weight.size / 64);
        const rows = Array.from({ length: granules }, () => [0, 0, 0, whole]).flat();
        const segment = gpu.tensor(Uint32Array.from(rows), [granules, 4], "segments");
        const factors = gpu.tensor(Float32Array.of(1), [1], "factors");
        for (let s = 0; s < steps; s++) {
          const x = batches.view([BATCH, width], s * BATCH * width);
          const p = softmax(gpu, matmul(gpu, x, weight, { transB: true })).y;
          const dy = gpu.empty([BATCH, classes], "class_gradient");
          gpu.dispatch(CLASS_GRADIENT, {
            bindings: {
              p,
              labels: labels.view([BATCH], s * BATCH),
              weights: rowWeights.view([BATCH], s * BATCH),
              out: dy,
            },
            params: { rows: BATCH, classes },
            workgroups: grid(BATCH * classes, 64),
            flops: 2 * BATCH * classes,
          });
          gpu.dispatch(SGD_STEP, {
            constants: { NESTEROV: false },
            bindings: {
              ...{ parameter: weight, grad: matmul(gpu, dy, x, { transA: true }) },
              ...{ momentum_buffer: velocity, segment, factors, table: rates, teacher: undefined },
            },
            params: { n: weight.size, groups: 4 * (s + 1), momentum_at: 0, momentum: 0.9 },
            workgroups: grid(4 * granules, 64),
            flops: 8 * weight.size,
          });
        }
      });
    } catch (error) {
      trainer.destroy();
      throw error;
    }
    return trainer;
  }

  /** Empties all steps: such a step leaves everything as it is. */
  clear(): void {
    for (const array of this.#arrays.slice(1)) array.fill(0);
  }

  /** Fills step s of the next run. */
  fill(
    s: number,
    { data }: FeatureArray,
    labels: ArrayLike<number>,
    chosen: Uint32Array,
    rate: number,
  ): void {
    const [rows, classes, weights, rates] = this.#arrays;
    const width = this.#width;
    chosen.forEach((row, i) => {
      const at = s * BATCH + i;
      rows.set(data.subarray(row * width, (row + 1) * width), at * width);
      classes[at] = labels[row];
      weights[at] = 1 / chosen.length;
    });
    rates.set([rate, 0, 1, 1], 4 * (s + 1));
  }

  run(): void {
    this.#arrays.forEach((array, i) => this.#tensors[i].write(array));
    this.#program!.run();
  }

  destroy(): void {
    this.#program?.destroy();
    for (const t of this.#tensors) t.destroy();
  }
}
