/** Gradient checks: central differences of f64 references. */
import { assertClose } from "./numbers.ts";

/** An f64 reference: inputs in the order of the op's, one flat output. */
export type Reference = (...inputs: Float64Array[]) => ArrayLike<number>;

/** Most elements of one input that a check differentiates by. */
const MOST = 48;

/**
 * Asserts that `actual`, the gradient of Σ reference(inputs) · dy with respect to input `which`, equals
 * central differences of the reference, relative to the largest of them. Of a long input, the first, the
 * last and evenly spread elements are checked.
 */
export function assertGradient(
  actual: ArrayLike<number>,
  reference: Reference,
  inputs: readonly ArrayLike<number>[],
  which: number,
  dy: ArrayLike<number>,
  tolerance: number,
  what = `gradient of input ${which}`,
): void {
  const values = inputs.map((input) => Float64Array.from(input));
  const x = values[which];
  const objective = () => {
    const y = reference(...values);
    let sum = 0;
    for (let i = 0; i < y.length; i++) sum += y[i] * dy[i];
    return sum;
  };
  const rms = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
  const step = 1e-5 * (rms || 1);
  const at = Array.from(
    { length: Math.min(x.length, MOST) },
    (_, i) => x.length <= MOST ? i : Math.round(i * (x.length - 1) / (MOST - 1)),
  );
  const expected = at.map((i) => {
    const kept = x[i];
    x[i] = kept + step;
    const above = objective();
    x[i] = kept - step;
    const below = objective();
    x[i] = kept;
    return (above - below) / (2 * step);
  });
  if (actual.length !== x.length) {
    throw new Error(`${what}: expected ${x.length} elements but found ${actual.length}`);
  }
  assertClose(at.map((i) => actual[i]), expected, tolerance, what);
}
