/**
 * Inputs that the loss accepts.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { Tensor } from "../gpu/mod.ts";
import type { LastLayer } from "../model/head.ts";
import type { LastLayerArrays } from "./arrays.ts";
import type { FullSettings } from "./options.ts";

/** What something is, for messages. */
function describe(x: unknown): string {
  if (x instanceof Tensor) return `${x}`;
  if (typeof x !== "object" || x === null) return `${x}`;
  const name = x.constructor?.name ?? "an object";
  const { length } = x as { length?: number };
  return length === undefined ? name : `${name} of ${length}`;
}

/**
 * B, from what both networks give: [V·B, columns] and [G·B, columns], as tensors of one GPU or as arrays.
 *
 * @throws {HatchlingError} When they do not chunk into views, or are something else.
 */
export function batchOf(
  { nCrops, nGlobalCrops }: Pick<FullSettings, "nCrops" | "nGlobalCrops">,
  columns: number,
  student: unknown,
  teacher: unknown,
): number {
  const size = (x: unknown) =>
    x instanceof Tensor
      ? x.shape.length === 2 && x.shape[1] === columns ? x.size : NaN
      : x instanceof Float32Array
      ? x.length
      : NaN;
  const batch = size(student) / columns / nCrops;
  const chunks = Number.isInteger(batch) && batch > 0 &&
    size(teacher) === nGlobalCrops * batch * columns;
  if (chunks && student instanceof Tensor === teacher instanceof Tensor) {
    checkOneGpu(student, teacher);
    return batch;
  }
  throw new HatchlingError(
    `DinoLoss: expected student [${nCrops}·B, ${columns}] and teacher [${nGlobalCrops}·B, ${columns}], both as ` +
      `tensors or as Float32Array, but found ${describe(student)} and ${
        describe(teacher)
      }: rows are ` +
      `view-major, ${nCrops} views (nCrops) and ${nGlobalCrops} global ones (nGlobalCrops) of each of B images`,
  );
}

function checkOneGpu(...tensors: unknown[]): void {
  const gpus = new Set(tensors.flatMap((t) => t instanceof Tensor ? [t.gpu] : []));
  if (gpus.size <= 1) return;
  throw new HatchlingError(
    "DinoLoss: expected tensors of one GPU but found those of several: open one GPU and make all tensors with it",
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
 * D of two last layers: weightV [K, D] and weightG [K] or [K, 1], as weights on the GPU or as arrays.
 *
 * @throws {HatchlingError} When one is something else, or their D differ.
 */
export function checkLayers(
  outDim: number,
  ...layers: readonly (LastLayer | LastLayerArrays)[]
): number {
  const dims = layers.map((layer) => {
    const { weightV, weightG }: Partial<Record<"weightV" | "weightG", unknown>> = layer ?? {};
    const [v, g] = [weightV, weightG].map((w) =>
      w instanceof Float32Array ? w : (w as { data?: unknown } | undefined)?.data
    );
    if (v instanceof Tensor && g instanceof Tensor) {
      checkOneGpu(v, g);
      const [rows, dim] = v.shape;
      if (v.shape.length === 2 && rows === outDim && g.size === outDim) return dim;
    } else if (v instanceof Float32Array && (g === undefined || g instanceof Float32Array)) {
      const dim = v.length / outDim;
      if (Number.isInteger(dim) && dim > 0 && (g?.length ?? outDim) === outDim) return dim;
    }
    throw new HatchlingError(
      `DinoLoss: expected a last layer of weightV [${outDim}, D] and weightG [${outDim}], each { data: Tensor, grad? } ` +
        `or Float32Array, but found ${describe(v ?? weightV)} and ${describe(g ?? weightG)}: ` +
        "rows are the outputs, outDim of them",
    );
  });
  if (dims[0] === dims[1]) return dims[0];
  throw new HatchlingError(
    `DinoLoss: expected last layers of one width but found ${
      dims.join(" and ")
    }: student and teacher share a shape`,
  );
}
