/**
 * Shapes that the loss accepts.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { Tensor } from "../gpu/mod.ts";
import type { LastLayer } from "../model/head.ts";
import type { Weight } from "../ops/weight.ts";
import type { LastLayerArrays } from "./arrays.ts";
import type { FullSettings } from "./options.ts";

/**
 * B, from what both networks give: [V·B, columns] and [G·B, columns].
 *
 * @throws {HatchlingError} When they do not chunk into views, or are not both tensors or both arrays.
 */
export function batchOf(
  { nCrops, nGlobalCrops }: Pick<FullSettings, "nCrops" | "nGlobalCrops">,
  columns: number,
  student: Tensor | Float32Array,
  teacher: Tensor | Float32Array,
): number {
  const size = (x: Tensor | Float32Array) => x instanceof Tensor ? x.size : x.length;
  const fits = (x: Tensor | Float32Array) =>
    x instanceof Tensor ? x.shape.at(-1) === columns : x instanceof Float32Array;
  const batch = size(student) / columns / nCrops;
  const chunks = Number.isInteger(batch) && batch > 0 &&
    size(teacher) === nGlobalCrops * batch * columns;
  const alike = student instanceof Tensor === teacher instanceof Tensor;
  if (alike && fits(student) && fits(teacher) && chunks) return batch;
  const name = (x: Tensor | Float32Array) =>
    x instanceof Float32Array ? `a Float32Array of ${x.length}` : `${x}`;
  throw new HatchlingError(
    `DinoLoss: expected student [${nCrops}·B, ${columns}] and teacher [${nGlobalCrops}·B, ${columns}], both as ` +
      `tensors or as Float32Array, but found ${name(student)} and ${
        name(teacher)
      }: rows are view-major, ` +
      `${nCrops} views (nCrops) and ${nGlobalCrops} global ones (nGlobalCrops) of each of B images`,
  );
}

/**
 * Refuses logits that the GPU does not bind at once.
 *
 * @throws {HatchlingError} Saying what does without them.
 */
export function checkBinding(logits: Tensor): void {
  const most = logits.gpu.limits.maxStorageBufferBindingSize;
  if (logits.bytes <= most) return;
  throw new HatchlingError(
    `DinoLoss: expected logits of at most ${most} bytes, what this adapter binds at once, but found ${logits} of ` +
      `${logits.bytes}: use forwardHead, which makes them of the bottleneck in chunks, or a smaller batch`,
  );
}

/**
 * D of two last layers.
 *
 * @throws {HatchlingError} When one is not [K, D] and [K], or their D differ.
 */
export function checkLayers(
  outDim: number,
  ...layers: readonly (LastLayer | LastLayerArrays)[]
): number {
  const size = (w: Weight | Float32Array) => w instanceof Float32Array ? w.length : w.data.size;
  const dims = layers.map(({ weightV, weightG }) => {
    const dim = size(weightV) / outDim;
    if (Number.isInteger(dim) && dim > 0 && (!weightG || size(weightG) === outDim)) return dim;
    throw new HatchlingError(
      `DinoLoss: expected a last layer of weightV [${outDim}, D] and weightG [${outDim}] but found ` +
        `${size(weightV)} and ${
          weightG && size(weightG)
        } elements: outDim is its number of outputs`,
    );
  });
  if (dims[0] === dims[1]) return dims[0];
  throw new HatchlingError(
    `DinoLoss: expected last layers of one width but found ${
      dims.join(" and ")
    }: student and teacher share a shape`,
  );
}
