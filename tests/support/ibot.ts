/** Cases of the iBOT loss, on the GPU and in f64. */
import type { Gpu } from "../../lib/gpu.ts";
import {
  IbotLoss,
  ibotLossReference,
  type IbotLossReferenceInput,
  type IbotLossSettings,
} from "../../lib/loss.ts";
import { normals } from "./numbers.ts";

/** Logits and settings of a loss. */
export interface IbotCase extends IbotLossReferenceInput {
  weights: Float32Array;
  center: Float32Array;
  studentTemp: number;
  teacherTemp: number;
  centerMomentum: number;
}

/** Random logits of the shape [M, K]; the last `padding` rows do not count, the others not all alike. */
export function ibotCase(
  [rows, outDim]: readonly number[],
  { seed = 1, scale = 1, padding = 0 } = {},
): IbotCase {
  const counted = rows - padding;
  return {
    outDim,
    student: normals(rows * outDim, seed, scale),
    teacher: normals(rows * outDim, seed + 1, scale / 4),
    weights: Float32Array.from(
      { length: rows },
      (_, m) => m < counted ? (1 + m % 3) / 2 / counted : 0,
    ),
    center: normals(outDim, seed + 2, scale / 8),
    studentTemp: 0.1,
    teacherTemp: 0.04,
    centerMomentum: 0.9,
  };
}

/** The settings of a case. */
export function ibotSettings(
  { outDim, studentTemp, teacherTemp, centerMomentum, centering, weight }: IbotLossSettings,
): IbotLossSettings {
  return { outDim, studentTemp, teacherTemp, centerMomentum, centering, weight };
}

/** Names of what both say. */
export const METRICS = ["loss", "teacherEntropy", "meanTeacherEntropy", "kl", "masked"] as const;

/** The loss on the GPU. */
export async function runIbot(gpu: Gpu, c: IbotCase) {
  const loss = new IbotLoss({ ...ibotSettings(c), gpu, center: centerOf(c) });
  const rows = c.weights.length;
  const result = gpu.scope(() => {
    const student = gpu.tensor(Float32Array.from(c.student), [rows, c.outDim]);
    const teacher = gpu.tensor(Float32Array.from(c.teacher), [rows, c.outDim]);
    return loss.forward(student, teacher, gpu.tensor(c.weights));
  });
  const { metrics, gradStudent, batchMean, center } = result;
  const [m, grad, mean, after] = await gpu.read([metrics, gradStudent, batchMean, center]);
  for (const t of [metrics, gradStudent, batchMean, loss]) t.destroy();
  return { metrics: m, gradStudent: grad, batchMean: mean, center: after };
}

/** The same in f64. */
export function ibotExpected(c: IbotCase) {
  const reference = ibotLossReference(c);
  return { ...reference, metrics: METRICS.map((key) => reference[key]) };
}

const centerOf = ({ centering = "center", center }: IbotCase) =>
  centering === "center" ? center : undefined;
