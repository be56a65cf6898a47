/** Running the loss on a case, on the GPU and in f64, with results of the same shape. */
import type { Gpu } from "../../lib/gpu/mod.ts";
import { DinoLoss, type DinoLossSettings } from "../../lib/loss.ts";
import { type LossCase, lossReference } from "./loss.ts";
import { normals } from "./numbers.ts";

/** Momentum of the centre in every case. */
export const MOMENTUM = 0.9;

/** What a loss says of a case. */
export interface LossReport {
  loss: number;
  teacherEntropy: number;
  meanEntropy: number;
  kl: number;
  pairs: ArrayLike<number>;
  grad: ArrayLike<number>;
  /** The centre afterwards. */
  center: ArrayLike<number>;
}

/** Random logits of the shape [B, G, V, K]. */
export function lossCase(
  [batch, globals, views, dim]: readonly number[],
  seed = 1,
  scale = 1,
): LossCase {
  return {
    batch,
    globals,
    views,
    dim,
    student: normals(views * batch * dim, seed, scale),
    teacher: normals(globals * batch * dim, seed + 1, scale / 4),
    center: normals(dim, seed + 2, scale / 8),
    studentTemp: 0.1,
    teacherTemp: 0.04,
  };
}

/** The settings of a case. */
export function settingsOf(c: Omit<LossCase, "student" | "teacher">): DinoLossSettings {
  return {
    outDim: c.dim,
    nCrops: c.views,
    nGlobalCrops: c.globals,
    studentTemp: c.studentTemp,
    teacherTemp: c.teacherTemp,
    centerMomentum: MOMENTUM,
    centering: c.centering,
  };
}

/** The loss on the GPU. */
export async function runLoss(gpu: Gpu, c: LossCase): Promise<LossReport> {
  const loss = new DinoLoss({ ...settingsOf(c), gpu });
  loss.center.write(Float32Array.from(c.center));
  const result = gpu.scope(() => {
    const student = gpu.tensor(Float32Array.from(c.student), [c.views * c.batch, c.dim]);
    const teacher = gpu.tensor(Float32Array.from(c.teacher), [c.globals * c.batch, c.dim]);
    return loss.forward(student, teacher);
  });
  const { metrics, gradStudent, pairLoss, batchMean, center } = result;
  const [m, grad, pairs, after] = await gpu.read([metrics, gradStudent, pairLoss, center]);
  for (const t of [metrics, gradStudent, pairLoss, batchMean, loss]) t.destroy();
  return {
    loss: m[0],
    teacherEntropy: m[1],
    meanEntropy: m[2],
    kl: m[3],
    grad,
    pairs,
    center: after,
  };
}

/** The loss in f64. */
export function runReference(c: LossCase): LossReport {
  const report = lossReference(c);
  const moved = report.batchMean.map((mean, k) => MOMENTUM * c.center[k] + (1 - MOMENTUM) * mean);
  return {
    ...report,
    center: (c.centering ?? "center") === "center" ? moved : Array.from(c.center),
  };
}
