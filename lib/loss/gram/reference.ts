/**
 * The Gram loss in float64, pair by pair: what the kernels are tested against.
 *
 * @module
 */

/** What {@linkcode gramReference} takes: tokens [n, T, D] of both networks. */
export interface GramReferenceInput {
  /** The student's tokens [n, T, D]. */
  student: ArrayLike<number>;
  /** The anchor's tokens [n, T, D]. */
  anchor: ArrayLike<number>;
  /** Tokens T of an image. */
  tokens: number;
  /** Width D of a token. */
  dim: number;
  /** First tokens of each image that are no patches; 1 by default. */
  prefix?: number;
  /** Factor on the gradient; 1 by default. */
  weight?: number;
}

/** What {@linkcode gramReference} returns. */
export interface GramReference {
  /** Without the weight. */
  loss: number;
  /** [n, T, D], the gradient of loss times weight. */
  gradTokens: Float64Array;
}

/** The smallest length to divide by, as torch.nn.functional.normalize has it. */
const EPS = 1e-12;

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d] * b[d];
  return sum;
};

/**
 * The loss, and its gradient by the chain rule.
 *
 * @example
 * ```ts
 * import { gramReference } from "@hatchling/hatchling/loss";
 *
 * const shape = { tokens: 2, dim: 2, prefix: 0 };
 * const { loss } = gramReference({ student: [1, 0, 0, 1], anchor: [1, 0, 1, 0], ...shape });
 * console.log(loss); // 0.5
 * ```
 */
export function gramReference(input: GramReferenceInput): GramReference {
  const { student, anchor, tokens, dim, prefix = 1, weight = 1 } = input;
  const n = student.length / (tokens * dim), patches = tokens - prefix;
  const scale = 1 / (n * patches * patches);
  const gradTokens = new Float64Array(student.length);
  let loss = 0;
  for (let image = 0; image < n; image++) {
    const at = (p: number) => (image * tokens + prefix + p) * dim;
    const unit = (from: ArrayLike<number>) =>
      Array.from({ length: patches }, (_, p) => {
        const row = Float64Array.from({ length: dim }, (_, d) => from[at(p) + d]);
        const top = Math.max(...row.map(Math.abs), 1e-300);
        const norm = top * Math.sqrt(row.reduce((sum, v) => sum + (v / top) ** 2, 0));
        return { row: row.map((v) => v / Math.max(norm, EPS)), norm };
      });
    const x = unit(student), y = unit(anchor);
    for (let i = 0; i < patches; i++) {
      const toUnit = new Float64Array(dim);
      for (let j = 0; j < patches; j++) {
        const apart = dot(x[i].row, x[j].row) - dot(y[i].row, y[j].row);
        loss += scale * apart * apart;
        for (let d = 0; d < dim; d++) toUnit[d] += 4 * weight * scale * apart * x[j].row[d];
      }
      const along = x[i].norm > EPS ? dot(x[i].row, toUnit) : 0;
      for (let d = 0; d < dim; d++) {
        gradTokens[at(i) + d] = (toUnit[d] - x[i].row[d] * along) / Math.max(x[i].norm, EPS);
      }
    }
  }
  return { loss, gradTokens };
}
