/** The DINO loss in f64, pair by pair, as the papers write it. */
import { matmulF64 } from "./numbers.ts";

/** Logits and settings of a loss. */
export interface LossCase {
  /** Images B, global views G, all views V, output dimensions K. */
  batch: number;
  globals: number;
  views: number;
  dim: number;
  /** [V·B, K], [G·B, K] and [K]. */
  student: ArrayLike<number>;
  teacher: ArrayLike<number>;
  center: ArrayLike<number>;
  studentTemp: number;
  teacherTemp: number;
  /** Center by default. */
  centering?: "center" | "sinkhorn_knopp" | "none";
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

function logSoftmax(row: number[]): number[] {
  const top = Math.max(...row);
  const lse = top + Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0));
  return row.map((x) => x - lse);
}

/**
 * Sinkhorn–Knopp as DINOv2 does it on exp(teacher / temp): prototypes, then samples, each to equal sums, three
 * times. Rows are first divided by their largest value, which their last normalisation undoes.
 */
export function sinkhornReference(rows: number[][], temp: number): number[][] {
  const dim = rows[0].length;
  let q = rows.map((row) => {
    const top = Math.max(...row);
    return row.map((x) => Math.exp((x - top) / temp));
  });
  // The papers start from exp(x / temp): give the rows their scales back, as far as f64 holds them.
  const highest = Math.max(...rows.flat());
  q = q.map((row, r) => row.map((x) => x * Math.exp((Math.max(...rows[r]) - highest) / temp)));
  for (let i = 0; i < 3; i++) {
    const perPrototype = Array.from({ length: dim }, (_, k) => q.reduce((sum, r) => sum + r[k], 0));
    q = q.map((row) => row.map((x, k) => x / perPrototype[k] / dim));
    q = q.map((row) => {
      const sum = row.reduce((a, b) => a + b);
      return row.map((x) => x / sum / q.length);
    });
  }
  return q.map((row) => row.map((x) => x * q.length));
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
export function headReference(c: HeadCase) {
  return lossReference({
    ...c,
    student: logitsReference(c.x, c.v, c.g, c.width),
    teacher: logitsReference(c.teacherX, c.teacherV, c.teacherG, c.width),
  });
}

const entropy = (p: number[]) => -p.reduce((sum, x) => sum + (x > 0 ? x * Math.log(x) : 0), 0);

/** Loss, pairs [G, V], diagnostics, and the gradient by summing that of every pair. */
export function lossReference(c: LossCase) {
  const { batch, globals, views, dim } = c;
  const dims = Array.from({ length: dim }, (_, k) => k);
  const rows = Array.from({ length: globals * batch }, (_, r) => r);
  const raw = rows.map((r) => dims.map((k) => c.teacher[r * dim + k]));
  const centered = (k: number) => c.centering === "none" ? 0 : c.center[k];
  const q = c.centering === "sinkhorn_knopp"
    ? sinkhornReference(raw, c.teacherTemp)
    : raw.map((row) =>
      logSoftmax(row.map((x, k) => (x - centered(k)) / c.teacherTemp)).map(Math.exp)
    );
  const s = Array.from(
    { length: views * batch },
    (_, r) => logSoftmax(dims.map((k) => c.student[r * dim + k] / c.studentTemp)),
  );
  const terms = globals * (views - 1);
  const pairs = new Float64Array(globals * views);
  const grad = new Float64Array(views * batch * dim);
  const entropies = q.map(entropy);
  let kl = 0;
  for (let g = 0; g < globals; g++) {
    for (let v = 0; v < views; v++) {
      if (v === g) continue;
      for (let b = 0; b < batch; b++) {
        const target = q[g * batch + b], log = s[v * batch + b];
        const cross = -dims.reduce((sum, k) => sum + (target[k] ? target[k] * log[k] : 0), 0);
        pairs[g * views + v] += cross / batch;
        kl += (cross - entropies[g * batch + b]) / (terms * batch);
        for (const k of dims) {
          grad[(v * batch + b) * dim + k] += (Math.exp(log[k]) - target[k]) /
            (c.studentTemp * terms * batch);
        }
      }
    }
  }
  const mean = dims.map((k) => q.reduce((sum, row) => sum + row[k], 0) / q.length);
  const batchMean = dims.map((k) => raw.reduce((sum, row) => sum + row[k], 0) / raw.length);
  return {
    q,
    batchMean,
    loss: pairs.reduce((a, b) => a + b) / terms,
    teacherEntropy: entropies.reduce((a, b) => a + b) / q.length,
    meanEntropy: entropy(mean),
    kl,
    pairs,
    grad,
  };
}
