/** The DINO loss in f64, pair by pair, as the paper writes it. */

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
}

function logSoftmax(row: number[]): number[] {
  const top = Math.max(...row);
  const lse = top + Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0));
  return row.map((x) => x - lse);
}

const entropy = (p: number[]) => -p.reduce((sum, x) => sum + (x > 0 ? x * Math.log(x) : 0), 0);

/** Loss, pairs [G, V], diagnostics, and the gradient by summing that of every pair. */
export function lossReference(c: LossCase) {
  const { batch, globals, views, dim } = c;
  const dims = Array.from({ length: dim }, (_, k) => k);
  const q = Array.from(
    { length: globals * batch },
    (_, r) =>
      logSoftmax(dims.map((k) => (c.teacher[r * dim + k] - c.center[k]) / c.teacherTemp)).map(
        Math.exp,
      ),
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
  return {
    loss: pairs.reduce((a, b) => a + b) / terms,
    teacherEntropy: entropies.reduce((a, b) => a + b) / q.length,
    meanEntropy: entropy(mean),
    kl,
    pairs,
    grad,
  };
}
