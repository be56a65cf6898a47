/**
 * The iBOT loss of plain arrays.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import { type Gpu, openGpu } from "../../gpu.ts";
import { IbotLoss } from "../ibot.ts";
import { checkFinite, describe } from "../shapes.ts";
import type { IbotLossSettings } from "./options.ts";
import { type IbotLossValues, ibotValues } from "./sums.ts";

/**
 * What {@linkcode ibotLoss} takes.
 *
 * @category Loss
 */
export interface IbotLossInput extends Omit<IbotLossSettings, "chunkSize"> {
  /** The student's logits [M, K] of masked tokens, row-major. */
  student: Float32Array;
  /** The teacher's logits [M, K] of the same tokens. */
  teacher: Float32Array;
  /** [M], what each token counts, at least 0; 1 / M by default. */
  weights?: Float32Array;
  /** The centre [K] of before; zeros by default. */
  center?: Float32Array;
  /** The GPU to use; by default one is opened, and freed at the end. */
  gpu?: Gpu;
}

/**
 * What {@linkcode ibotLoss} resolves to.
 *
 * @category Loss
 */
export interface IbotLossArrays extends IbotLossValues {
  /** [M, K], the gradient of loss times weight with respect to the student's logits. */
  gradStudent: Float32Array;
}

/**
 * {@linkcode IbotLoss} for plain arrays, which are copied at once: the loss with the given centre, its gradient, and
 * the centre after its move. Keeps nothing.
 *
 * @throws {HatchlingError} When a setting is out of range, a length does not fit, or a number is not finite.
 *
 * @example
 * ```ts
 * import { ibotLoss } from "@hatchling/hatchling/loss";
 *
 * const logits = new Float32Array(2 * 3); // two masked tokens, three outputs, all equal
 * const { loss, gradStudent } = await ibotLoss({ student: logits, teacher: logits, outDim: 3 });
 * console.log(loss, gradStudent.length); // ln 3, 6
 * ```
 *
 * @category Loss
 */
export async function ibotLoss(
  { student, teacher, weights, gpu: given, ...settings }: IbotLossInput,
): Promise<IbotLossArrays> {
  const ibot = new IbotLoss(settings);
  const { outDim } = ibot.options;
  const rows = checkArrays(outDim, student, teacher, weights);
  checkFinite("student", student, outDim, undefined, "IbotLoss");
  checkFinite("teacher", teacher, outDim, undefined, "IbotLoss");
  if (weights) checkFinite("weights", weights, 1, undefined, "IbotLoss");
  const copies = [student, teacher].map((values) => values.slice());
  const counts = weights?.slice() ?? new Float32Array(rows).fill(1 / rows);
  const gpu = given ?? await openGpu();
  try {
    const { loss: _, ...made } = gpu.scope(() => {
      const [s, t] = copies.map((x) => gpu.tensor(x, [rows, outDim]));
      return ibot.forward(s, t, gpu.tensor(counts));
    });
    const { metrics, center, gradStudent } = made;
    try {
      const [m, c, g] = await gpu.read([metrics, center, gradStudent]);
      return { ...ibotValues(m, c), gradStudent: g };
    } finally {
      for (const tensor of Object.values(made)) tensor.destroy();
    }
  } finally {
    ibot.destroy();
    if (!given) gpu.destroy();
  }
}

/** M. */
function checkArrays(outDim: number, student: unknown, teacher: unknown, weights: unknown): number {
  const rows = student instanceof Float32Array ? student.length / outDim : NaN;
  const fits = (x: unknown, length: number) => x instanceof Float32Array && x.length === length;
  const whole = Number.isInteger(rows) && rows >= 1 && fits(teacher, rows * outDim);
  if (whole && (weights === undefined || fits(weights, rows))) return rows;
  throw new HatchlingError(
    `IbotLoss: expected student and teacher [M, ${outDim}] and weights [M], each a Float32Array, but found ` +
      `${describe(student)}, ${describe(teacher)} and ${
        describe(weights)
      }: row m of one meets row m of the other`,
  );
}
