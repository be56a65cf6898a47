/**
 * Inputs that the loss accepts.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { Tensor } from "../gpu.ts";
import type { LastLayer } from "../model/head.ts";

/** What something is, for messages. */
export function describe(x: unknown): string {
  if (x instanceof Tensor || typeof x !== "object" || x === null) return `${x}`;
  const name = x.constructor?.name ?? "an object";
  return "length" in x ? `${name} of ${x.length}` : name;
}

/**
 * B, from what both networks give: [V·B, columns] and [G·B, columns], both of one kind.
 *
 * @throws {HatchlingError} When they do not divide into views, or are something else.
 */
export function batchOf(
  kind: typeof Tensor | typeof Float32Array,
  { nCrops, nGlobalCrops }: Readonly<Record<"nCrops" | "nGlobalCrops", number>>,
  columns: number,
  student: unknown,
  teacher: unknown,
): number {
  const [size, teacherSize] = [student, teacher].map((x) => {
    if (!(x instanceof kind)) return NaN;
    if (!(x instanceof Tensor)) return x.length;
    return x.shape.length === 2 && x.shape[1] === columns ? x.size : NaN;
  });
  const batch = size / columns / nCrops;
  if (Number.isInteger(batch) && batch > 0 && teacherSize === nGlobalCrops * batch * columns) {
    checkOneGpu("DinoLoss", student, teacher);
    return batch;
  }
  throw new HatchlingError(
    `DinoLoss: expected student [${nCrops}·B, ${columns}] and teacher [${nGlobalCrops}·B, ${columns}], each a ` +
      `${kind.name}, but found ${describe(student)} and ${
        describe(teacher)
      }: rows are view-major, ` +
      `${nCrops} views (nCrops) and ${nGlobalCrops} global ones (nGlobalCrops) of each of B images`,
  );
}

/**
 * Refuses tensors of several GPUs.
 *
 * @throws {HatchlingError} Where there are.
 */
export function checkOneGpu(loss: string, ...values: unknown[]): void {
  const gpus = new Set(values.flatMap((x) => x instanceof Tensor ? [x.gpu] : []));
  if (gpus.size <= 1) return;
  throw new HatchlingError(
    `${loss}: expected tensors of one GPU but found those of several: open one GPU and make all tensors with it`,
  );
}

/**
 * Refuses logits that the GPU does not bind at once.
 *
 * @throws {HatchlingError} Saying what does without them.
 */
export function checkBinding(logits: Tensor, loss = "DinoLoss"): void {
  const most = logits.gpu.limits.maxStorageBufferBindingSize;
  if (logits.bytes <= most) return;
  throw new HatchlingError(
    `${loss}: expected logits of at most ${most} bytes, what this adapter binds at once, but found ${logits} of ` +
      `${logits.bytes}: use forwardHead, which makes them of the bottleneck in chunks, or a smaller batch`,
  );
}

/**
 * D of two last layers: weightV [K, D] and, unless they are plain, weightG [K, 1].
 *
 * @throws {HatchlingError} When one is something else, or their D differ.
 */
export function checkLayers(
  loss: string,
  outDim: number,
  ...layers: readonly LastLayer[]
): number {
  const [dim, teacherDim] = layers.map((layer) => {
    const [v, g]: unknown[] = [layer?.weightV?.data, layer?.weightG ? layer.weightG.data : null];
    if (
      v instanceof Tensor && v.shape.length === 2 && v.shape[0] === outDim &&
      (g === null || g instanceof Tensor && g.size === outDim)
    ) {
      checkOneGpu(loss, ...g === null ? [v] : [v, g]);
      return v.shape[1];
    }
    throw new HatchlingError(
      `${loss}: expected a last layer of weightV [${outDim}, D] and weightG [${outDim}, 1] or none, each ` +
        `{ data: Tensor, grad? }, but found ${describe(v)} and ${
          describe(g)
        }: rows are the outputs, outDim of them`,
    );
  });
  if (dim === teacherDim) return dim;
  throw new HatchlingError(
    `${loss}: expected last layers of one width but found ${dim} and ${teacherDim}: student and teacher share a shape`,
  );
}

/**
 * Refuses numbers that are not finite.
 *
 * @param batch B, where rows are view-major.
 * @param loss Whose numbers they are.
 * @throws {HatchlingError} Naming the first one.
 */
export function checkFinite(
  name: string,
  values: Float32Array,
  columns: number,
  batch?: number,
  loss = "DinoLoss",
): void {
  const at = values.findIndex((x) => !Number.isFinite(x));
  if (at < 0) return;
  const row = Math.floor(at / columns);
  const which = batch ? ` (view ${Math.floor(row / batch)}, sample ${row % batch})` : "";
  throw new HatchlingError(
    `${loss}: expected finite numbers in ${name} but found ${
      values[at]
    } in row ${row}${which}, column ` +
      `${at % columns}: look where it comes from; too high a learning rate is the usual cause`,
  );
}

/**
 * Refuses a centre to start from that is not K finite numbers, or that nothing would use.
 *
 * @throws {HatchlingError} Saying which.
 */
export function checkCenter(
  center: Float32Array | undefined,
  { outDim, centering }: Readonly<{ outDim: number; centering: string }>,
  loss = "DinoLoss",
): void {
  if (center === undefined) return;
  if (!(center instanceof Float32Array) || center.length !== outDim || centering !== "center") {
    throw new HatchlingError(
      `${loss}: expected center to be a Float32Array of outDim (${outDim}) numbers, with centering center, but ` +
        `found ${
          describe(center)
        } with centering ${centering}: give that of the run that goes on, or leave it out`,
    );
  }
  checkFinite("center", center, outDim, undefined, loss);
}
