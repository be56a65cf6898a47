/**
 * KoLeo, the Kozachenko–Leonenko regulariser (Sablayrolles et al. 2019, arXiv:1806.03198, L_KoLeo;
 * in DINOv2, Oquab et al. 2023, arXiv:2304.07193, section 4): it spreads the features of a batch.
 *
 * @module
 */
import gradCode from "../../kernels/koleo_grad.wgsl" with { type: "text" };
import nearestCode from "../../kernels/koleo_nearest.wgsl" with { type: "text" };
import pairsCode from "../../kernels/koleo_pairs.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu.ts";
import { gpuOf } from "../gpu/gpu.ts";
import { l2Normalize } from "../ops/l2_normalize.ts";
import { rowSum } from "../ops/reduce.ts";
import { rowLaunch } from "../ops/row_launch.ts";
import { BITS } from "../ops/wgsl_parts.ts";
import type { FullSettings } from "./options.ts";
import type { LossMicroBatch } from "./sums.ts";

const KOLEO_PAIRS = defineKernel("koleo_pairs", pairsCode);
const KOLEO_NEAREST = defineKernel("koleo_nearest", nearestCode, { shared: [BITS] });
const KOLEO_GRAD = defineKernel("koleo_grad", gradCode);

/** Smallest norm to divide by, and what is added to a distance before its logarithm, as in DINOv2. */
const EPS = 1e-8;

/** Options of {@linkcode koleo}. */
export interface KoleoOptions {
  /** Groups of consecutive rows, R / groups each: the views. A row meets only the rows of its group. */
  groups: number;
  /** Factor on loss and gradient, at least 0; DINOv2 uses 0.1. */
  weight: number;
  /**
   * Ranks that compute the loss of the same rows, each for gradients of its own; 1 by default. The loss is this one's
   * share.
   */
  copies?: number;
  /** Receives the loss [1]; a new tensor by default. */
  out?: Tensor;
  /** Add the loss to what `out` holds. */
  accumulate?: boolean;
}

/** What {@linkcode koleo} returns. */
export interface KoleoResult {
  /** [1], in nats, times the weight. Below 0 where rows are further apart than 1. */
  loss: Tensor;
  /** [R, D], the gradient of that loss with respect to the features, before their normalisation. */
  gradFeatures: Tensor;
}

/**
 * L = weight · Σ over the groups of −1/n Σ_i log(‖x_i − x_nn(i)‖₂ + 1e-8), with x the rows of a group
 * scaled to length 1 (x / max(‖x‖, 1e-8)), n their number, and nn(i) the row with the largest x_i · x_j,
 * j ≠ i; of equals, the first. Groups of one row add nothing.
 *
 * nn(i) is a constant for the gradient; x_i and x_nn(i) both get theirs. Where they are identical the
 * loss is −log 1e-8 ≈ 18.4 and that pair's gradient 0. A row shorter than 1e-8 gets its gradient divided
 * by 1e-8, as in PyTorch: finite, but huge.
 *
 * facebookresearch/dinov2 also adds 1e-8 to every difference (`nn.PairwiseDistance(2, eps=1e-8)`). Here,
 * as in the papers, nothing is added to them: then the loss does not depend on which way the difference
 * goes, and values differ by less than 1e-8 · √D / distance.
 *
 * @param features [R, D], one row per view and sample, view-major; a part of a tensor is passed as a view.
 * @throws {HatchlingError} When rows do not divide into the groups, or the weight is negative or not finite.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { koleo } from "@hatchling/hatchling/loss";
 *
 * const gpu = await openGpu();
 * const features = gpu.tensor(new Float32Array([3, 0, 0, 5]), [2, 2]); // at right angles: √2 apart
 * const { loss, gradFeatures } = gpu.scope(() => koleo(gpu, features, { groups: 1, weight: 0.1 }));
 * console.log((await loss.read())[0]); // −0.1 · ln √2 = −0.0347
 * for (const t of [features, loss, gradFeatures]) t.destroy();
 * gpu.destroy();
 * ```
 */
export function koleo(gpu: Gpu, features: Tensor, options: KoleoOptions): KoleoResult {
  const { rows, dim, group } = check(features, options);
  const { y, backward } = l2Normalize(gpu, features, EPS);
  const pairs = gpu.empty([rows, group, 2], "koleo.pairs");
  gpu.dispatch(KOLEO_PAIRS, {
    bindings: { x: y, pairs },
    params: { rows, dim, group },
    workgroups: grid(rows * Math.ceil(group / 4), 64),
    flops: 5 * rows * group * dim,
  });
  const nearest = gpu.empty([rows], "koleo.nearest");
  const share = gpu.empty([1, rows], "koleo.share");
  const slope = gpu.empty([rows], "koleo.slope");
  gpu.dispatch(KOLEO_NEAREST, {
    ...rowLaunch(gpu, rows, group),
    bindings: { pairs, nearest, share, slope },
    params: { rows, group, scale: options.weight / group, eps: EPS },
    flops: rows * group,
  });
  const grad = gpu.empty(features.shape, "koleo.grad");
  gpu.dispatch(KOLEO_GRAD, {
    bindings: { x: y, nearest, slope, grad },
    params: { rows, dim, group },
    workgroups: grid(rows * 64, 64),
    flops: 5 * rows * dim,
  });
  const { out: loss = gpu.empty([1], "koleo"), accumulate = false, copies = 1 } = options;
  rowSum(gpu, share, { out: loss, accumulate, scale: 1 / copies });
  return { loss, gradFeatures: backward(grad) };
}

function check(
  features: Tensor,
  { groups, weight }: KoleoOptions,
): { rows: number; dim: number; group: number } {
  const [rows, dim] = features.shape;
  if (features.shape.length !== 2) {
    throw new HatchlingError(`koleo: expected features [R, D] but found ${features}`);
  }
  if (!(Number.isInteger(groups) && groups >= 1 && rows % groups === 0)) {
    throw new HatchlingError(
      `koleo: expected groups to be a whole number that divides the ${rows} rows of ${features} but ` +
        `found ${groups}: pass the number of views, and a view of the tensor with their rows only`,
    );
  }
  if (!(weight >= 0 && weight < Infinity)) {
    throw new HatchlingError(`koleo: expected a finite weight of at least 0 but found ${weight}`);
  }
  return { rows, dim, group: rows / groups };
}

/** KoLeo of the global views, as {@linkcode DinoLoss.koleo} says. */
export function koleoOfViews(
  features: Tensor,
  { nCrops, nGlobalCrops: groups, koleoWeight }: FullSettings,
  microBatch?: LossMicroBatch,
): KoleoResult | undefined {
  if (!koleoWeight) return undefined;
  const [rows, dim] = features.shape;
  const batch = rows / nCrops;
  if (features.shape.length !== 2 || !Number.isInteger(batch)) {
    throw new HatchlingError(
      `DinoLoss: expected features [${nCrops}·B, D] of all views but found ${features}`,
    );
  }
  const steps = microBatch?.accumulationSteps ?? 1;
  return koleo(gpuOf(features), features.view([groups * batch, dim]), {
    groups,
    weight: koleoWeight / steps,
    out: microBatch?.sums.koleo,
    accumulate: steps > 1,
  });
}
