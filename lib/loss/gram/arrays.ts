/**
 * The Gram loss of plain arrays.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import { type Gpu, openGpu } from "../../gpu.ts";
import { gram } from "../gram.ts";
import { checkFinite, describe } from "../shapes.ts";
import type { GramReferenceInput } from "./reference.ts";

/**
 * What {@linkcode gramLoss} takes.
 *
 * @category Loss
 */
export interface GramInput extends GramReferenceInput {
  /** The student's tokens [n, T, D]. */
  student: Float32Array;
  /** The anchor's tokens [n, T, D]. */
  anchor: Float32Array;
  /** The GPU to use; by default one is opened, and freed at the end. */
  gpu?: Gpu;
}

/**
 * What {@linkcode gramLoss} resolves to.
 *
 * @category Loss
 */
export interface GramValues {
  /** Without the weight. */
  loss: number;
  /** [n, T, D], the gradient of loss times weight with respect to the student's tokens. */
  gradTokens: Float32Array;
}

/**
 * {@linkcode gram} for plain arrays, which are copied at once.
 *
 * @throws {HatchlingError} When a setting is out of range, a length does not fit, or a number is not finite.
 *
 * @example
 * ```ts
 * import { gramLoss } from "@hatchling/hatchling/loss";
 *
 * const student = Float32Array.of(1, 0, 0, 1), anchor = Float32Array.of(1, 0, 1, 0); // two patches of one image
 * const { loss } = await gramLoss({ student, anchor, tokens: 2, dim: 2, prefix: 0 });
 * console.log(loss); // 0.5
 * ```
 *
 * @category Loss
 */
export async function gramLoss(
  { student, anchor, tokens, dim, prefix, weight, gpu: given }: GramInput,
): Promise<GramValues> {
  const n = student instanceof Float32Array ? student.length / (tokens * dim) : NaN;
  const sizes = [n, tokens, dim].every((size) => Number.isInteger(size) && size >= 1);
  if (!sizes || !(anchor instanceof Float32Array) || anchor.length !== student.length) {
    throw new HatchlingError(
      `gram: expected student and anchor [n, ${tokens}, ${dim}], each a Float32Array of whole images, but found ` +
        `${describe(student)} and ${describe(anchor)}: give all tokens of the same images`,
    );
  }
  checkFinite("student", student, dim, undefined, "gram");
  checkFinite("anchor", anchor, dim, undefined, "gram");
  const copies = [student, anchor].map((values) => values.slice());
  const gpu = given ?? await openGpu();
  try {
    const { loss, gradTokens } = gpu.scope(() => {
      const [x, y] = copies.map((values) => gpu.tensor(values, [n, tokens, dim]));
      return gram(gpu, x, y, { prefix, weight });
    });
    try {
      const [[l], grad] = await gpu.read([loss, gradTokens]);
      return { loss: l, gradTokens: grad };
    } finally {
      for (const tensor of [loss, gradTokens]) tensor.destroy();
    }
  } finally {
    if (!given) gpu.destroy();
  }
}
