/**
 * Moving rows: the class tokens of [B, N, D] to and from [B, D], and factors per sample.
 *
 * @module
 */
import rowsCode from "../../kernels/rows.wgsl" with { type: "text" };
import scaleCode from "../../kernels/scale_add.wgsl" with { type: "text" };
import dropCode from "../../kernels/drop_path.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Scalar, type Tensor } from "../gpu.ts";
import { tableOf } from "../gpu/scalars.ts";
import { moveLaunch } from "./row_launch.ts";
import { PUT } from "./wgsl_parts.ts";

const ROWS = defineKernel("rows", rowsCode, { shared: [PUT] });
const SCALE_ADD = defineKernel("scale_add", scaleCode, { shared: [PUT] });
const DROP_PATH = defineKernel("drop_path", dropCode);

/** Copies the class tokens of tokens [B, N, D] into rows `first` … `first + B − 1` of `out` [·, D]. */
export function gatherClass(gpu: Gpu, tokens: Tensor, out: Tensor, first: number): void {
  const [batch, n, dim] = tokens.shape;
  const { constants, width, workgroups } = moveLaunch(batch, dim);
  gpu.dispatch(ROWS, {
    constants,
    bindings: { src: tokens, out },
    params: { rows: batch, width, stride: n, first },
    workgroups,
  });
}

/** The adjoint of {@linkcode gatherClass}: fills `out` [B, N, D], zero but for the class tokens. */
export function scatterClass(gpu: Gpu, rows: Tensor, out: Tensor, first: number): void {
  const [batch, n, dim] = out.shape;
  const { constants, width, workgroups } = moveLaunch(batch * n, dim);
  gpu.dispatch(ROWS, {
    constants: { ...constants, SCATTER: true },
    bindings: { src: rows, out },
    params: { rows: batch, width, stride: n, first },
    workgroups,
  });
}

/** h · scale per sample, plus `x` when given; h [B, N, D], scale [B]; into `out` when given. */
export function scaleSamples(
  gpu: Gpu,
  h: Tensor,
  scale: Tensor,
  { x, out = gpu.empty(h.shape, "scale_samples", h.dtype) }: { x?: Tensor; out?: Tensor } = {},
): Tensor {
  const dim = h.shape.at(-1)!;
  const rows = h.size / dim;
  const { constants, width, workgroups } = moveLaunch(rows, dim);
  gpu.dispatch(SCALE_ADD, {
    constants: { ...constants, ADD: !!x },
    bindings: { x, h, scale, out },
    params: { rows, width, group: rows / scale.size },
    workgroups,
    flops: 2 * h.size,
  });
  return out;
}

/** Where drop path takes its randomness from. */
export interface DropPathSource {
  /** The run's seed. */
  seed: number;
  /** The step's number. */
  step: Scalar;
  /** Which micro-batch of the step this is, where it is not all of it. */
  microBatch?: MicroBatch;
}

/** One of the equal micro-batches of a step. */
export interface MicroBatch {
  /** Its pictures. */
  batch: number;
  /** Micro-batches of the step. */
  accumulationSteps: number;
  /** Its number, from 0, in the table that holds the step's. */
  index: Scalar;
}

/**
 * Drop path factors [n], view-major: 0 with probability `rate`, else 1 / (1 − rate), a function of (seed, step,
 * stream, view, picture of the whole batch) alone (Huang et al. 2016).
 *
 * @throws {HatchlingError} When the rate is not in [0, 1).
 */
export function dropPathFactors(
  gpu: Gpu,
  n: number,
  rate: number,
  stream: number,
  source: DropPathSource,
): Tensor {
  if (!(rate >= 0 && rate < 1)) {
    throw new HatchlingError(`Expected a drop path rate in [0, 1) but found ${rate}`);
  }
  const out = gpu.empty([n], "drop_path");
  const { seed, step, microBatch } = source;
  const { batch, accumulationSteps, index } = microBatch ??
    { batch: n, accumulationSteps: 1, index: step };
  gpu.dispatch(DROP_PATH, {
    bindings: { scalars: tableOf(step, index), scale: out },
    params: {
      n,
      stream,
      seed_low: seed >>> 0,
      seed_high: Math.floor(seed / 2 ** 32) >>> 0,
      step_index: step.index,
      batch,
      accumulation_steps: accumulationSteps,
      micro_batch_index: index.index,
      rate,
    },
    workgroups: grid(n, 64),
  });
  return out;
}
