/**
 * The kernels of InfoNCE as functions.
 *
 * @module
 */
import clampCode from "../../../kernels/infonce_clamp.wgsl" with { type: "text" };
import finishCode from "../../../kernels/infonce_finish.wgsl" with { type: "text" };
import rowsCode from "../../../kernels/infonce_rows.wgsl" with { type: "text" };
import { defineKernel, type Gpu, type Tensor } from "../../gpu.ts";
import { rowLaunch } from "../../ops/row_launch.ts";
import { claim, type Weight } from "../../ops/weight.ts";
import { BITS, FOURS, LANES, PUT } from "../../ops/wgsl_parts.ts";
import { checkTensor } from "./check.ts";
import { MAX_LOG_SCALE, type Sizes } from "./sizes.ts";

const ROWS = defineKernel("infonce_rows", rowsCode, { shared: [LANES, FOURS, BITS, PUT] });
const FINISH = defineKernel("infonce_finish", finishCode, { shared: [BITS] });
const CLAMP = defineKernel("infonce_clamp", clampCode);

/** τ, or a weight [1] that holds ln(1/τ). */
export type Temperature = number | { readonly logScale: Weight };

const logScaleOf = (t: Temperature) => typeof t === "number" ? undefined : t.logScale;

/**
 * Replaces the similarities [R, G·B] of queries `first` … `first + R − 1` by `factor` times the loss's gradient, and
 * leaves what the loss is made of in `terms` [3·G·V, B].
 */
export function rowPass(
  gpu: Gpu,
  { batch, views, globals }: Sizes,
  temperature: Temperature,
  tensors: { similarities: Tensor; terms: Tensor },
  { first, factor }: { first: number; factor: number },
): void {
  const { similarities: out, terms } = tensors;
  const items = out.size / batch;
  const learned = logScaleOf(temperature);
  const { constants, workgroups } = rowLaunch(gpu, items, batch);
  gpu.dispatch(ROWS, {
    constants: { ...constants, LEARNED: !!learned, VEC: batch % 4 === 0 },
    bindings: { log_scale: learned?.data, out, terms },
    params: {
      ...{ items, batch, globals, views, first, factor },
      scale: typeof temperature === "number" ? 1 / temperature : 0,
      most: MAX_LOG_SCALE,
    },
    workgroups,
    flops: 15 * out.size,
  });
}

/** Loss, accuracy and pairs of the means `sums` [3·G·V] of the terms, and the learned temperature's gradient. */
export function finish(
  gpu: Gpu,
  { views, globals }: Sizes,
  temperature: Temperature,
  tensors: Record<"sums" | "loss" | "accuracy" | "pairLoss", Tensor>,
  { weight, accumulate }: { weight: number; accumulate: boolean },
): void {
  const { sums, loss, accuracy, pairLoss: pair_loss } = tensors;
  const learned = logScaleOf(temperature);
  const target = learned && claim(learned);
  gpu.dispatch(FINISH, {
    constants: { LEARNED: !!target },
    bindings: { sums, log_scale: learned?.data, pair_loss, loss, accuracy, grad: target?.out },
    params: {
      ...{ globals, views, weight, most: MAX_LOG_SCALE },
      accumulate: +accumulate,
      add_grad: +(target?.accumulate ?? false),
    },
    workgroups: [1],
    flops: 4 * sums.size,
  });
}

/**
 * ln(1/τ) ← min(ln(1/τ), ln 100), as CLIP does after every update: beyond, a learned temperature has no gradient, and
 * would stay there.
 *
 * @param logScale [1], what {@linkcode infoNce} takes as `temperature.logScale.data`.
 * @throws {HatchlingError} When it is something else.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { clampLogScale } from "@hatchling/hatchling/loss";
 *
 * const gpu = await openGpu();
 * const logScale = gpu.tensor(new Float32Array([7]));
 * clampLogScale(gpu, logScale);
 * console.log(await logScale.read()); // ln 100 = 4.605
 * gpu.destroy();
 * ```
 */
export function clampLogScale(gpu: Gpu, logScale: Tensor): void {
  checkTensor(gpu, "logScale", logScale, "[1]", ({ size }) => size === 1);
  gpu.dispatch(CLAMP, {
    bindings: { log_scale: logScale },
    params: { most: MAX_LOG_SCALE },
    workgroups: [1],
  });
}
