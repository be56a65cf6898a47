/** Cases of the DINO loss, on the GPU and in f64, with results of the same shape. */
import type { Gpu } from "../../lib/gpu.ts";
import {
  DinoLoss,
  type DinoLossReference,
  dinoLossReference,
  type DinoLossReferenceInput,
  type DinoLossSettings,
} from "../../lib/loss.ts";
import { matmulF64, normals } from "./numbers.ts";

/** Logits and settings of a loss. */
export interface LossCase extends DinoLossReferenceInput {
  /** Images B. */
  batch: number;
  nGlobalCrops: number;
  center: ArrayLike<number>;
  studentTemp: number;
  teacherTemp: number;
  centerMomentum: number;
}

/** A loss of bottlenecks and last layers. */
export interface HeadCase extends Omit<LossCase, "student" | "teacher"> {
  /** Width of the bottleneck. */
  width: number;
  /** Bottlenecks [V·B, D] and [G·B, D]; v [K, D] and g [K] of both layers. */
  x: ArrayLike<number>;
  v: ArrayLike<number>;
  g: ArrayLike<number>;
  teacherX: ArrayLike<number>;
  teacherV: ArrayLike<number>;
  teacherG: ArrayLike<number>;
}

/** What a loss says of a case. */
export interface LossReport
  extends Omit<DinoLossReference, "batchMean" | "pairLoss" | "gradStudent" | "center"> {
  pairLoss: ArrayLike<number>;
  gradStudent: ArrayLike<number>;
  center: ArrayLike<number>;
}

/** Random logits of the shape [B, G, V, K]. */
export function lossCase(
  [batch, nGlobalCrops, nCrops, outDim]: readonly number[],
  seed = 1,
  scale = 1,
): LossCase {
  return {
    batch,
    nGlobalCrops,
    nCrops,
    outDim,
    student: normals(nCrops * batch * outDim, seed, scale),
    teacher: normals(nGlobalCrops * batch * outDim, seed + 1, scale / 4),
    center: normals(outDim, seed + 2, scale / 8),
    studentTemp: 0.1,
    teacherTemp: 0.04,
    centerMomentum: 0.9,
  };
}

/** The settings of a case. */
export function settingsOf(
  { outDim, nCrops, nGlobalCrops, studentTemp, teacherTemp, centerMomentum, centering }:
    DinoLossSettings,
): DinoLossSettings {
  return { outDim, nCrops, nGlobalCrops, studentTemp, teacherTemp, centerMomentum, centering };
}

/** The loss on the GPU. */
export async function runLoss(gpu: Gpu, c: LossCase): Promise<LossReport> {
  const loss = new DinoLoss({ ...settingsOf(c), gpu });
  loss.center.write(Float32Array.from(c.center));
  const result = gpu.scope(() => {
    const student = gpu.tensor(Float32Array.from(c.student), [c.nCrops * c.batch, c.outDim]);
    const teacher = gpu.tensor(Float32Array.from(c.teacher), [c.nGlobalCrops * c.batch, c.outDim]);
    return loss.forward(student, teacher);
  });
  const { metrics, gradStudent, pairLoss, batchMean, center } = result;
  const [m, grad, pairs, after] = await gpu.read([metrics, gradStudent, pairLoss, center]);
  for (const t of [metrics, gradStudent, pairLoss, batchMean, loss]) t.destroy();
  const [value, teacherEntropy, meanTeacherEntropy, kl] = m;
  const metric = { loss: value, teacherEntropy, meanTeacherEntropy, kl };
  return { ...metric, gradStudent: grad, pairLoss: pairs, center: after };
}

/** Logits of a weight-normed last layer. */
export function logitsReference(
  x: ArrayLike<number>,
  v: ArrayLike<number>,
  g: ArrayLike<number>,
  width: number,
): Float64Array {
  const dim = g.length;
  const w = Float64Array.from(v, (value, i) => {
    const row = Math.floor(i / width);
    let squares = 0;
    for (let d = 0; d < width; d++) squares += v[row * width + d] ** 2;
    return g[row] * value / Math.sqrt(squares);
  });
  return matmulF64(x, w, [x.length / width, width, dim], false, true);
}

/** The loss of bottlenecks and last layers. */
export function headReference(c: HeadCase): DinoLossReference {
  return dinoLossReference({
    ...c,
    student: logitsReference(c.x, c.v, c.g, c.width),
    teacher: logitsReference(c.teacherX, c.teacherV, c.teacherG, c.width),
  });
}
