/** KoLeo in f64, pair by pair, as the papers write it. */

/** Features and settings of a loss. */
export interface KoleoCase {
  /** Groups, rows of each B, dimensions D. */
  groups: number;
  group: number;
  dim: number;
  weight: number;
  /** [groups · B, D]. */
  features: ArrayLike<number>;
}

const EPS = 1e-8;

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d] * b[d];
  return sum;
};

/** The normalised rows of a group with what they were divided by, and each row's nearest other. */
function groupOf({ group, dim, features }: KoleoCase, g: number) {
  const norms: number[] = [], rows: Float64Array[] = [];
  for (let r = 0; r < group; r++) {
    const row = Float64Array.from({ length: dim }, (_, d) => features[(g * group + r) * dim + d]);
    const top = row.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-300);
    const norm = top * Math.sqrt(row.reduce((sum, v) => sum + (v / top) ** 2, 0));
    norms.push(norm);
    rows.push(row.map((v) => v / Math.max(norm, EPS)));
  }
  const nearest = rows.map((a, i) => {
    let at = -1, best = -Infinity;
    rows.forEach((b, j) => {
      const score = j === i ? -Infinity : dot(a, b);
      if (score > best) [best, at] = [score, j];
    });
    return at;
  });
  return { norms, rows, nearest };
}

/** The loss, the gradient by the chain rule, and for each row its nearest one, −1 where it is alone. */
export function koleoReference(c: KoleoCase) {
  const { groups, group, dim, weight } = c;
  const grad = new Float64Array(groups * group * dim);
  const nearest: number[] = [];
  let loss = 0;
  for (let g = 0; g < groups; g++) {
    const { norms, rows, nearest: nn } = groupOf(c, g);
    nearest.push(...nn.map((j) => j < 0 ? -1 : g * group + j));
    const toNormalised = rows.map(() => new Float64Array(dim));
    nn.forEach((j, i) => {
      if (j < 0) return;
      const difference = rows[i].map((v, d) => v - rows[j][d]);
      const distance = Math.sqrt(dot(difference, difference));
      loss -= weight / group * Math.log(distance + EPS);
      if (distance === 0) return;
      difference.forEach((v, d) => {
        const share = weight / group * (v / distance) / (distance + EPS);
        toNormalised[i][d] -= share;
        toNormalised[j][d] += share;
      });
    });
    rows.forEach((row, i) => {
      // Below eps the divisor is a constant.
      const along = norms[i] > EPS ? dot(row, toNormalised[i]) : 0;
      row.forEach((v, d) => {
        grad[(g * group + i) * dim + d] = (toNormalised[i][d] - v * along) /
          Math.max(norms[i], EPS);
      });
    });
  }
  return { loss, grad, nearest };
}
