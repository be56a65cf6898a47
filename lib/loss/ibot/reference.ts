/**
 * The iBOT loss in float64, token by token, as the paper writes it: what the kernels are tested against.
 *
 * @module
 */
import { IBOT_DEFAULTS } from "../defaults.ts";
import {
  columnSums,
  entropy,
  logSoftmax,
  type Row,
  scaled,
  sinkhornKnopp,
  sum,
} from "../reference.ts";
import type { IbotLossArrays } from "./arrays.ts";
import type { IbotLossSettings } from "./options.ts";

/** What {@linkcode ibotLossReference} takes: logits [M, K] of masked tokens, row by row. */
export interface IbotLossReferenceInput extends Omit<IbotLossSettings, "chunkSize"> {
  /** The student's logits [M, K]. */
  student: ArrayLike<number>;
  /** The teacher's logits [M, K]. */
  teacher: ArrayLike<number>;
  /** [M], what each token counts; 1 / M by default. */
  weights?: ArrayLike<number>;
  /** The centre [K] of before; zeros by default. */
  center?: ArrayLike<number>;
}

/** What {@linkcode ibotLossReference} returns: what {@linkcode ibotLoss} does, and the mean of the raw logits. */
export interface IbotLossReference
  extends Omit<IbotLossArrays, "lossOverLnK" | "gradStudent" | "center"> {
  /** [M, K]. */
  gradStudent: Float64Array;
  /** [K], mean of the teacher's raw logits over the tokens that count. */
  batchMean: number[];
  /** The centre [K] after its move. */
  center: number[];
}

/**
 * The loss, its gradient, and the centre after its move.
 *
 * @example
 * ```ts
 * import { ibotLossReference } from "@hatchling/hatchling/loss";
 *
 * const { loss } = ibotLossReference({ student: [1, 0, 0], teacher: [0, 1, 0], outDim: 3 });
 * console.log(loss); // 10
 * ```
 */
export function ibotLossReference(input: IbotLossReferenceInput): IbotLossReference {
  const { outDim: K, studentTemp, teacherTemp, centering, centerMomentum, weight, ...rest } = {
    ...IBOT_DEFAULTS,
    ...input,
  };
  const M = rest.student.length / K;
  const rowOf = (x: ArrayLike<number>, m: number): Row =>
    Array.from({ length: K }, (_, k) => x[m * K + k]);
  const w = Array.from({ length: M }, (_, m) => rest.weights?.[m] ?? 1 / M);
  const counted = [...w.keys()].filter((m) => w[m] !== 0);
  const teacher = counted.map((m) => rowOf(rest.teacher, m));
  const center = Array.from({ length: K }, (_, k) => rest.center?.[k] ?? 0);

  const q = centering === "sinkhorn_knopp"
    ? (teacher.length > 0 ? sinkhornKnopp(teacher, teacherTemp) : [])
    : teacher.map((row) => {
      const centred = centering === "center" ? row.map((x, k) => x - center[k]) : row;
      return logSoftmax(scaled(centred, 1 / teacherTemp)).map(Math.exp);
    });
  const gradStudent = new Float64Array(M * K);
  let loss = 0;
  counted.forEach((m, i) => {
    const log = logSoftmax(scaled(rowOf(rest.student, m), 1 / studentTemp));
    loss -= w[m] * sum(q[i].map((x, k) => x ? x * log[k] : 0));
    q[i].forEach((x, k) => {
      gradStudent[m * K + k] = weight * w[m] * (Math.exp(log[k]) - x) / studentTemp;
    });
  });
  const mean = (rows: Row[]) =>
    rows.length > 0 ? scaled(columnSums(rows), 1 / rows.length) : new Array<number>(K).fill(0);
  const teacherEntropy = sum(q.map((row, i) => w[counted[i]] * entropy(row)));
  const batchMean = mean(teacher);
  const moves = centering === "center" && counted.length > 0;
  return {
    loss,
    teacherEntropy,
    meanTeacherEntropy: entropy(mean(q)),
    kl: loss - teacherEntropy,
    masked: counted.length,
    gradStudent,
    batchMean,
    center: moves
      ? center.map((c, k) => centerMomentum * c + (1 - centerMomentum) * batchMean[k])
      : center,
  };
}
