/**
 * The DINO loss in float64, pair by pair, as the papers write it: what the kernels are tested against.
 *
 * @module
 */
import type { DinoLossArrays } from "./arrays.ts";
import { LOSS_DEFAULTS } from "./defaults.ts";
import type { DinoLossSettings } from "./options.ts";

/** What {@linkcode dinoLossReference} takes: logits [V·B, K] and [G·B, K], and the centre [K], zeros by default. */
export interface DinoLossReferenceInput extends DinoLossSettings {
  /** The student's logits [V·B, K]. */
  student: ArrayLike<number>;
  /** The teacher's logits [G·B, K]. */
  teacher: ArrayLike<number>;
  /** The centre [K] of before; zeros by default. */
  center?: ArrayLike<number>;
}

/** What {@linkcode dinoLossReference} returns: what {@linkcode dinoLoss} does, and the mean of the raw logits. */
export interface DinoLossReference
  extends Omit<DinoLossArrays, "lossOverLnK" | "pairLoss" | "gradStudent" | "center"> {
  /** [G, V]. */
  pairLoss: Float64Array;
  /** [V·B, K]. */
  gradStudent: Float64Array;
  /** [K], mean of the teacher's raw logits over all rows. */
  batchMean: number[];
  /** The centre [K] after its move. */
  center: number[];
}

/** Numbers of a row. */
export type Row = number[];

/** Sum of a row. */
export const sum = (row: Row) => row.reduce((a, b) => a + b, 0);
/** A row times a number. */
export const scaled = (row: Row, by: number) => row.map((x) => x * by);
/** Sum of each column. */
export const columnSums = (rows: Row[]) => rows[0].map((_, k) => sum(rows.map((row) => row[k])));
/** In nats. */
export const entropy = (p: Row) => -sum(p.map((x) => x > 0 ? x * Math.log(x) : 0));

/** Logarithms of softmax. */
export function logSoftmax(row: Row): Row {
  const top = Math.max(...row);
  const logSum = top + Math.log(sum(row.map((x) => Math.exp(x - top))));
  return row.map((x) => x - logSum);
}

/** Distributions that use all prototypes alike: prototypes, then samples, each to equal sums, three times. */
export function sinkhornKnopp(rows: Row[], temp: number): Row[] {
  const top = Math.max(...rows.flat());
  let q = rows.map((row) => row.map((x) => Math.exp((x - top) / temp)));
  for (let i = 0; i < 3; i++) {
    const totals = columnSums(q);
    q = q.map((row) => row.map((x, k) => x / totals[k])).map((row) => scaled(row, 1 / sum(row)));
  }
  return q;
}

/**
 * The loss, its gradient by summing that of every pair, and the centre after its move.
 *
 * @example
 * ```ts
 * import { dinoLossReference } from "@hatchling/hatchling/loss";
 *
 * const logits = [1, 0, 0, 0, 1, 0]; // two views of one image, three outputs
 * const { loss } = dinoLossReference({ student: logits, teacher: logits, outDim: 3, nCrops: 2 });
 * console.log(loss); // 10
 * ```
 */
export function dinoLossReference(input: DinoLossReferenceInput): DinoLossReference {
  const { outDim: K, nCrops: V, nGlobalCrops: G, studentTemp, teacherTemp, centering, ...rest } = {
    ...LOSS_DEFAULTS,
    ...input,
  };
  const rowsOf = (x: ArrayLike<number>) =>
    Array.from(
      { length: x.length / K },
      (_, r) => Array.from({ length: K }, (_, k) => x[r * K + k]),
    );
  const student = rowsOf(rest.student), teacher = rowsOf(rest.teacher);
  const center = Array.from({ length: K }, (_, k) => rest.center?.[k] ?? 0);
  const B = student.length / V, pairs = G * (V - 1);

  const logP = student.map((row) => logSoftmax(scaled(row, 1 / studentTemp)));
  const q = centering === "sinkhorn_knopp"
    ? sinkhornKnopp(teacher, teacherTemp)
    : teacher.map((row) => {
      const centred = centering === "center" ? row.map((x, k) => x - center[k]) : row;
      return logSoftmax(scaled(centred, 1 / teacherTemp)).map(Math.exp);
    });
  const entropies = q.map(entropy);
  const pairLoss = new Float64Array(G * V), gradStudent = new Float64Array(V * B * K);
  for (let g = 0; g < G; g++) {
    for (let v = 0; v < V; v++) {
      if (v === g) continue;
      for (let b = 0; b < B; b++) {
        const target = q[g * B + b], log = logP[v * B + b];
        pairLoss[g * V + v] -= sum(target.map((x, k) => x ? x * log[k] : 0)) / B;
        target.forEach((x, k) => {
          const grad = (Math.exp(log[k]) - x) / (studentTemp * pairs * B);
          gradStudent[(v * B + b) * K + k] += grad;
        });
      }
    }
  }
  const loss = pairLoss.reduce((a, b) => a + b) / pairs;
  const teacherEntropy = sum(entropies) / q.length;
  const batchMean = scaled(columnSums(teacher), 1 / teacher.length);
  const m = centering === "center" ? rest.centerMomentum : 1;
  return {
    loss,
    teacherEntropy,
    meanTeacherEntropy: entropy(scaled(columnSums(q), 1 / q.length)),
    kl: loss - teacherEntropy,
    pairLoss,
    gradStudent,
    batchMean,
    center: center.map((c, k) => m * c + (1 - m) * batchMean[k]),
  };
}
