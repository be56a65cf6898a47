/**
 * Batch norm (Ioffe and Szegedy 2015, arXiv:1502.03167), with ReLU and a residual fused into it.
 *
 * @module
 */
import code from "../../kernels/batch_norm.wgsl" with { type: "text" };
import backwardCode from "../../kernels/batch_norm_backward.wgsl" with { type: "text" };
import statsCode from "../../kernels/batch_norm_stats.wgsl" with { type: "text" };
import sumsCode from "../../kernels/batch_norm_sums.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu.ts";
import { columnLaunch, columnSum } from "./reduce.ts";
import { moveLaunch } from "./row_launch.ts";
import { claim, type Weight } from "./weight.ts";
import { PUT, WALK_ROWS } from "./wgsl_parts.ts";

const BATCH_NORM = defineKernel("batch_norm", code, { shared: [PUT, WALK_ROWS] });
const BATCH_NORM_BACKWARD = defineKernel("batch_norm_backward", backwardCode, {
  shared: [PUT, WALK_ROWS],
});
const BATCH_NORM_STATS = defineKernel("batch_norm_stats", statsCode);
const BATCH_NORM_SUMS = defineKernel("batch_norm_sums", sumsCode);

/** What a batch norm learns and keeps, [C] each. */
export interface BatchNormWeights {
  /** Factors. */
  weight: Weight;
  /** What is added. */
  bias: Weight;
  /** Running mean. */
  mean: Tensor;
  /** Running variance, unbiased. */
  variance: Tensor;
}

/** Options of {@linkcode batchNorm}. */
export interface BatchNormOptions {
  /**
   * Normalise by the batch and move the running statistics by a tenth of the way to its own; else by the running
   * ones, which stay.
   */
  train?: boolean;
  /** max(·, 0) of the result. */
  relu?: boolean;
  /** As x; added before ReLU. */
  residual?: Tensor;
}

/** What {@linkcode batchNorm} returns. */
export interface BatchNormResult {
  /** As x. */
  y: Tensor;
  /** Fills the gradients of weight and bias; returns that of x and that of the residual, where there is one. */
  backward(dy: Tensor): { x: Tensor; residual?: Tensor };
}

/** As torchvision's models have them. */
const EPS = 1e-5, MOMENTUM = 0.1;

/**
 * Batch norm over the last dimension of x [.., C]: (x − mean) / √(variance + 1e-5) · weight + bias. In training the
 * variance is that of the batch over its R rows, and running ← 0.9 · running + 0.1 · the batch's, the variance over
 * R − 1, as in PyTorch.
 *
 * @throws {HatchlingError} When sizes do not fit, or a batch to train on has a single row.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { batchNorm } from "@hatchling/hatchling/ops";
 *
 * const gpu = await openGpu();
 * const x = gpu.tensor(Float32Array.of(1, 3), [2, 1]);
 * const [one, zero, mean, variance] = [1, 0, 0, 1].map((v) => gpu.tensor(Float32Array.of(v)));
 * const weights = { weight: { data: one }, bias: { data: zero }, mean, variance };
 * const { y } = gpu.scope(() => ({ y: batchNorm(gpu, x, weights, { train: true }).y }));
 * console.log(await y.read(), await mean.read(), await variance.read()); // about −1, 1; 0.2; 0.9 + 0.1 · 2
 * for (const t of [x, y, one, zero, mean, variance]) t.destroy();
 * gpu.destroy();
 * ```
 */
export function batchNorm(
  gpu: Gpu,
  x: Tensor,
  { weight, bias, mean, variance }: BatchNormWeights,
  { train = false, relu = false, residual }: BatchNormOptions = {},
): BatchNormResult {
  const cols = x.shape.at(-1)!;
  const rows = x.size / cols;
  const found = { weight: weight.data, bias: bias.data, mean, variance };
  for (const [name, tensor] of Object.entries(found)) {
    if (tensor.size === cols) continue;
    throw new HatchlingError(`batchNorm: expected ${cols} numbers in ${name} but found ${tensor}`);
  }
  if (residual && residual.size !== x.size) {
    throw new HatchlingError(`batchNorm: expected a residual like ${x} but found ${residual}`);
  }
  if (train && rows < 2) {
    throw new HatchlingError(
      `batchNorm: expected two rows or more to train on, which have a variance, but found ${x}: take a larger batch ` +
        "or larger pictures",
    );
  }
  const sums = (args: { mean: Tensor; dy?: Tensor; y?: Tensor }): Tensor => {
    const { constants, chunk, chunks, workgroups } = columnLaunch(gpu, rows, cols, cols % 4 === 0);
    const out = gpu.empty([chunks, 2 * cols], "batch_norm.sums");
    gpu.dispatch(BATCH_NORM_SUMS, {
      constants: { ...constants, BACK: !!args.dy, RELU: !!args.y },
      bindings: { x, mean: args.mean, dy: args.dy, y: args.y, out },
      params: { rows, cols, chunk },
      workgroups,
      flops: 5 * x.size,
    });
    return chunks === 1 ? out : columnSum(gpu, out);
  };
  const stats = gpu.empty([2, cols], "batch_norm.stats");
  const batchMean = train ? columnSum(gpu, x.view([rows, cols]), { scale: 1 / rows }) : undefined;
  gpu.dispatch(BATCH_NORM_STATS, {
    constants: { BATCH: train },
    bindings: {
      mean: batchMean,
      sums: batchMean && sums({ mean: batchMean }),
      running_mean: mean,
      running_var: variance,
      stats,
    },
    params: { cols, rows, eps: EPS, momentum: MOMENTUM },
    workgroups: grid(cols, 64),
  });
  const y = gpu.empty(x.shape, "batch_norm");
  const { constants, width, workgroups } = moveLaunch(rows, cols);
  gpu.dispatch(BATCH_NORM, {
    constants: { ...constants, RELU: relu, RESIDUAL: !!residual },
    bindings: { x, stats, weight: weight.data, bias: bias.data, residual, out: y },
    params: { rows, width },
    workgroups,
    flops: 4 * x.size,
  });
  return {
    y,
    backward(dy) {
      const grads = [claim(weight), claim(bias)];
      const live = relu ? y : undefined;
      const both = train || grads.some((grad) => grad)
        ? sums({ mean: stats, dy, y: live }).view([1, 2 * cols])
        : undefined;
      grads.forEach((grad, i) => {
        if (grad) columnSum(gpu, both!, { ...grad, offset: i * cols, cols });
      });
      const dx = gpu.empty(x.shape, "batch_norm.grad");
      const passed = residual && gpu.empty(x.shape, "residual.grad");
      gpu.dispatch(BATCH_NORM_BACKWARD, {
        constants: { ...constants, RELU: relu, BATCH: train, PASS: !!passed },
        bindings: {
          ...{ x, y: live, dy, stats, weight: weight.data, sums: train ? both : undefined },
          ...{ out: dx, passed },
        },
        params: { rows, width, share: 1 / rows },
        workgroups,
        flops: 8 * x.size,
      });
      return { x: dx, residual: passed };
    },
  };
}
