/**
 * What the iBOT loss leaves of a batch's masked tokens, and what it says of them.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../gpu.ts";
import { checkFiniteLoss } from "../result.ts";

/** Sums over masked tokens: they add up where a batch comes in micro-batches. */
export interface IbotSums {
  /** [3]: Σ weight · cross-entropy, Σ weight · teacher entropy, number of tokens. */
  rows: Tensor;
  /** [K], the teacher's distributions. */
  meanTeacher: Tensor;
  /** [K], the teacher's raw logits. */
  batchSum: Tensor;
}

/** Where a micro-batch adds to what is known of the whole batch. */
export interface IbotMicroBatch {
  /** Sums of those so far; they start at zero, but for a batch that comes at once, which overwrites them. */
  sums: IbotSums;
  /** Micro-batches of equal size that the batch comes in; 1 where it comes at once. */
  accumulationSteps: number;
}

/** Room for the sums of a batch that comes at once. */
export function emptyIbotSums(gpu: Gpu, outDim: number): IbotSums {
  return {
    rows: gpu.empty([3], "ibot.rows"),
    meanTeacher: gpu.empty([outDim], "ibot.mean_teacher"),
    batchSum: gpu.empty([outDim], "ibot.batch_sum"),
  };
}

/** Zero-filled sums that live until destroyed: parts of one tensor, `all`, to be cleared at once. */
export function packedIbotSums(gpu: Gpu, outDim: number): IbotSums & { all: Tensor } {
  const align = gpu.alignment / 4;
  const room = (size: number) => Math.ceil(size / align) * align;
  const all = gpu.persistent([room(3) + 2 * room(outDim)], "sums of the iBOT loss");
  return {
    rows: all.view([3]),
    meanTeacher: all.view([outDim], room(3)),
    batchSum: all.view([outDim], room(3) + room(outDim)),
    all,
  };
}

/** The loss on the GPU; {@linkcode IbotLoss.read} downloads it. */
export interface IbotLossMetrics {
  /** [1], in nats, without the weight; the first of `metrics`, whose memory it shares. */
  loss: Tensor;
  /**
   * [5]: the loss; mean teacher entropy; entropy of the mean teacher distribution; mean KL(teacher ‖ student), all
   * in nats; number of masked tokens. All are 0 where no token is masked.
   */
  metrics: Tensor;
  /** [K], mean of the teacher's raw logits over the masked tokens: what the centre moves towards. */
  batchMean: Tensor;
  /** [K], the loss's own centre: who owns the loss frees it. */
  center: Tensor;
}

/**
 * What {@linkcode IbotLoss.forward} returns.
 *
 * @category Loss
 */
export interface IbotLossResult extends IbotLossMetrics {
  /** [M, K], the gradient of loss times weight with respect to the student's logits; 0 where a token counts 0. */
  gradStudent: Tensor;
}

/** What {@linkcode IbotLoss.forwardHead} returns. */
export interface IbotHeadLossResult extends IbotLossMetrics {
  /** [M, D], the gradient of loss times weight with respect to the student's bottleneck. */
  gradBottleneck: Tensor;
}

/** The loss as plain numbers and arrays, in nats. */
export interface IbotLossValues {
  /** The loss. */
  loss: number;
  /** Loss / ln K: 1 where student and teacher are uniform. */
  lossOverLnK: number;
  /** Mean entropy of the teacher's distributions; the loss is never below it. */
  teacherEntropy: number;
  /** Entropy of the mean teacher distribution. */
  meanTeacherEntropy: number;
  /** Mean KL(teacher ‖ student): loss − teacherEntropy. */
  kl: number;
  /** Masked tokens, those of weight 0 left out. */
  masked: number;
  /** The centre [K] after this call. */
  center: Float32Array;
}

/**
 * Names what was read.
 *
 * @throws {HatchlingError} When the loss is not finite.
 */
export function ibotValues(metrics: Float32Array, center: Float32Array): IbotLossValues {
  const [loss, teacherEntropy, meanTeacherEntropy, kl, masked] = metrics;
  checkFiniteLoss("IbotLoss", loss);
  const lossOverLnK = loss / Math.log(center.length);
  return { loss, lossOverLnK, teacherEntropy, meanTeacherEntropy, kl, masked, center };
}
