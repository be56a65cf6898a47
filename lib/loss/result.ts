/**
 * What the DINO loss returns, on the GPU and as plain arrays.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Tensor } from "../gpu.ts";

/** The loss on the GPU; {@linkcode DinoLoss.read} downloads it. */
export interface DinoLossMetrics {
  /** [1], in nats; the first of `metrics`, whose memory it shares. */
  loss: Tensor;
  /**
   * [4], in nats: the loss; mean teacher entropy; entropy of the mean teacher distribution; mean
   * KL(teacher ‖ student) over the pairs.
   */
  metrics: Tensor;
  /** [G, V], cross-entropy per pair of views, mean over the batch; 0 for a view with itself. */
  pairLoss: Tensor;
  /** [K], mean of the teacher's raw logits over all rows: what the centre moves towards. */
  batchMean: Tensor;
  /** [K], the loss's own centre: who owns the loss frees it. */
  center: Tensor;
}

/**
 * What {@linkcode DinoLoss.forward} returns.
 *
 * @category Loss
 */
export interface DinoLossResult extends DinoLossMetrics {
  /** [V·B, K], the gradient of the loss with respect to the student's logits. */
  gradStudent: Tensor;
}

/** What {@linkcode DinoLoss.forwardHead} returns. */
export interface DinoHeadLossResult extends DinoLossMetrics {
  /** [V·B, D], the gradient of the loss with respect to the student's bottleneck. */
  gradBottleneck: Tensor;
}

/** The loss as plain numbers and arrays, in nats. */
export interface DinoLossValues {
  /** The loss; KoLeo is not in it. */
  loss: number;
  /** Loss / ln K: 1 where student and teacher are uniform. */
  lossOverLnK: number;
  /** Mean entropy of the teacher's distributions; the loss is never below it. */
  teacherEntropy: number;
  /** Entropy of the mean teacher distribution. */
  meanTeacherEntropy: number;
  /** Mean KL(teacher ‖ student) over the pairs: loss − teacherEntropy. */
  kl: number;
  /** [G, V], cross-entropy per pair of views; 0 for a view with itself. */
  pairLoss: Float32Array;
  /** The centre [K] after this call. */
  center: Float32Array;
}

/** Metrics, pairs and centre as they were read. */
export type ReadMetrics = Record<"metrics" | "pairLoss" | "center", Float32Array>;

/**
 * Refuses a loss that is not finite.
 *
 * @param who The class that made it.
 * @throws {HatchlingError} When it is not.
 */
export function checkFiniteLoss(who: string, loss: number): void {
  if (Number.isFinite(loss)) return;
  throw new HatchlingError(
    `${who}: expected a finite loss but found ${loss}: some logits are not finite, or overflow when ` +
      "divided by a temperature; the centre is as it was. Lower the learning rate, or raise the temperatures",
  );
}

/**
 * Names what was read.
 *
 * @throws {HatchlingError} When the loss is not finite.
 */
export function lossValues({ metrics, pairLoss, center }: ReadMetrics): DinoLossValues {
  const [loss, teacherEntropy, meanTeacherEntropy, kl] = metrics;
  checkFiniteLoss("DinoLoss", loss);
  const lossOverLnK = loss / Math.log(center.length);
  return { loss, lossOverLnK, teacherEntropy, meanTeacherEntropy, kl, pairLoss, center };
}
