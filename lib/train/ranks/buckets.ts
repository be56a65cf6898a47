/**
 * Which gradients are sent together, and when they can be.
 *
 * @module
 */
import type { Program, Tensor } from "../../gpu.ts";
import type { Parameters } from "../../model.ts";

/** Gradients that are sent together. */
export interface Bucket {
  /** The dispatch of the micro-step's program from which on nothing changes them. */
  at: number;
  /** The memory that they lie in, in this order. */
  tensors: readonly Tensor[];
  /** Numbers in it. */
  size: number;
}

/** Most buckets: each has waits of its own. */
const MOST = 4;

/** Gradients in the order in which a micro-step makes them final. */
export function bucketsOf(
  student: Parameters,
  program: Program<unknown>,
  least: number,
): Bucket[] {
  const known = student.all.flatMap(({ grad, name }) => {
    return grad ? [{ name, at: program.lastUse(grad), size: grad.size }] : [];
  }).sort((a, b) => a.at - b.at);
  const total = known.reduce((sum, { size }) => sum + size, 0);
  const enough = Math.max(least, total / MOST);
  const groups: typeof known[] = [[]];
  let size = 0, left = total;
  for (const one of known) {
    // What would be left is to be worth a bucket of its own.
    if (size >= enough && left >= least) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)!.push(one);
    size += one.size;
    left -= one.size;
  }
  return groups.map((group) => {
    const tensors = student.gradRanges(new Set(group.map(({ name }) => name)));
    return {
      at: Math.max(...group.map(({ at }) => at)),
      tensors,
      size: tensors.reduce((sum, { size }) => sum + size, 0),
    };
  });
}
