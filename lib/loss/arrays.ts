/**
 * The DINO loss of plain arrays.
 *
 * @module
 */
import { type Gpu, openGpu } from "../gpu.ts";
import { DinoLoss } from "./dino_loss.ts";
import type { DinoLossSettings } from "./options.ts";
import { type DinoLossValues, lossValues } from "./result.ts";
import { batchOf, checkFinite } from "./shapes.ts";

/**
 * What {@linkcode dinoLoss} takes.
 *
 * @category Loss
 */
export interface DinoLossInput extends DinoLossSettings {
  /** The student's logits [V·B, K], row-major: all B samples of view 0, then of view 1, …. */
  student: Float32Array;
  /** The teacher's logits [G·B, K]. */
  teacher: Float32Array;
  /** The centre [K] of before; zeros by default. */
  center?: Float32Array;
  /** The GPU to use; by default one is opened, and freed at the end. */
  gpu?: Gpu;
}

/**
 * What {@linkcode dinoLoss} resolves to.
 *
 * @category Loss
 */
export interface DinoLossArrays extends DinoLossValues {
  /** [V·B, K], the gradient of the loss with respect to the student's logits. */
  gradStudent: Float32Array;
}

/**
 * {@linkcode DinoLoss} for plain arrays, which are copied at once: the loss with the given centre, its gradient,
 * and the centre after its move. Keeps nothing.
 *
 * @throws {HatchlingError} When a setting is out of range, a length does not fit the numbers of views, or a number
 * is not finite.
 *
 * @example
 * ```ts
 * import { dinoLoss } from "@hatchling/hatchling/loss";
 *
 * const logits = new Float32Array(2 * 1 * 3); // two views of one image, three outputs, all equal
 * const { loss, gradStudent, center } = await dinoLoss({
 *   student: logits,
 *   teacher: logits,
 *   outDim: 3,
 *   nCrops: 2,
 * });
 * console.log(loss, gradStudent.length, center); // ln 3, 6, zeros
 * ```
 *
 * @category Loss
 */
export async function dinoLoss(
  { student, teacher, gpu: given, ...settings }: DinoLossInput,
): Promise<DinoLossArrays> {
  const dino = new DinoLoss(settings);
  const { outDim } = dino.options;
  const batch = batchOf(Float32Array, dino.options, outDim, student, teacher);
  checkFinite("student", student, outDim, batch);
  checkFinite("teacher", teacher, outDim, batch);
  const copies = [student, teacher].map((values) => values.slice());
  const gpu = given ?? await openGpu();
  try {
    const { loss: _, ...made } = gpu.scope(() => {
      const [s, t] = copies.map((x) => gpu.tensor(x, [x.length / outDim, outDim]));
      return dino.forward(s, t);
    });
    const { metrics, pairLoss, center, gradStudent } = made;
    try {
      const [m, p, c, g] = await gpu.read([metrics, pairLoss, center, gradStudent]);
      return { ...lossValues({ metrics: m, pairLoss: p, center: c }), gradStudent: g };
    } finally {
      for (const tensor of Object.values(made)) tensor.destroy();
    }
  } finally {
    dino.destroy();
    if (!given) gpu.destroy();
  }
}
