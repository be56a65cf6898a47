/**
 * The kernels of the DINO loss as functions, all of them over rows of logits or of a chunk of their columns.
 *
 * @module
 */
import centerCode from "../../kernels/dino_center.wgsl" with { type: "text" };
import finishCode from "../../kernels/dino_finish.wgsl" with { type: "text" };
import meanCode from "../../kernels/dino_mean_teacher.wgsl" with { type: "text" };
import statsCode from "../../kernels/dino_stats.wgsl" with { type: "text" };
import studentCode from "../../kernels/dino_student.wgsl" with { type: "text" };
import rowsCode from "../../kernels/shared/dino_rows.wgsl" with { type: "text" };
import targetsCode from "../../kernels/shared/dino_targets.wgsl" with { type: "text" };
import sinkhornCode from "../../kernels/sinkhorn.wgsl" with { type: "text" };
import { defineKernel, type Gpu, grid, type Scalar, type SharedCode, type Tensor } from "../gpu.ts";
import { tableOf } from "../gpu/scalars.ts";
import { longRowLaunch, rowLaunch } from "../ops/row_launch.ts";
import { BITS, FOURS, LANES, PUT } from "../ops/wgsl_parts.ts";
import type { Centering, TemperaturesAt } from "./options.ts";
import type { LossMicroBatch, LossSums, SumSizes } from "./sums.ts";

const ROWS: SharedCode = { name: "dino_rows", code: rowsCode };

/** What a kernel needs whose rows of logits meet the teacher's. */
export const STUDENT_PARTS: readonly SharedCode[] = [
  ...[LANES, FOURS, BITS, ROWS, PUT],
  { name: "dino_targets", code: targetsCode },
];

const DINO_STATS = defineKernel("dino_stats", statsCode, { shared: [LANES, FOURS, BITS, ROWS] });
const DINO_STUDENT = defineKernel("dino_student", studentCode, { shared: STUDENT_PARTS });
const DINO_MEAN_TEACHER = defineKernel("dino_mean_teacher", meanCode);
const DINO_FINISH = defineKernel("dino_finish", finishCode, { shared: [BITS] });
const DINO_CENTER = defineKernel("dino_center", centerCode);
const SINKHORN = defineKernel("sinkhorn", sinkhornCode);

/** What does not depend on where logits come from. */
export interface PassOptions extends SumSizes, LossMicroBatch {
  /** B. */
  batch: number;
  /** Which centre the teacher's logits lose. */
  centering: Centering;
  /** What the teacher's logits lose [K], unless Sinkhorn–Knopp finds it. */
  center: Tensor;
  /** Both temperatures. */
  temperaturesAt: TemperaturesAt;
}

/** What one pass over a row's logits leaves: [R, 4] as kernels/dino_stats.wgsl says, and entropies [R]. */
export interface RowState {
  /** (maximum, log-sum-exp above it, its exp, entropy sum). */
  state: Tensor;
  /** In nats. */
  entropy: Tensor;
}

/** Room for the state of some rows. */
export function rowState(gpu: Gpu, rows: number, label: string): RowState {
  return {
    state: gpu.empty([rows, 4], `${label}_state`),
    entropy: gpu.empty([rows], `${label}_entropy`),
  };
}

/** Takes columns of logits x [R, C] into the state of their rows; the first ones start it. */
export function updateRowState(
  gpu: Gpu,
  x: Tensor,
  center: Tensor | undefined,
  temp: Scalar,
  { state, entropy }: RowState,
  first: boolean,
): void {
  const [rows, dim] = x.shape;
  const { constants, workgroups } = longRowLaunch(gpu, rows, dim);
  gpu.dispatch(DINO_STATS, {
    constants: { ...constants, VEC: dim % 4 === 0, CENTERED: !!center },
    bindings: { x, center, scalars: temp.table, state, entropy },
    params: { rows, dim, temp_index: temp.index, first: +first },
    workgroups,
    flops: 8 * x.size,
  });
}

/**
 * Cross-entropies `pair` [G·V, B], which the first chunk overwrites, and gradient `out` [V·B, C] of a chunk of the
 * student's logits [V·B, C]; where these are absent, they come in `out`.
 */
export function studentPass(
  gpu: Gpu,
  { batch, globals, views, accumulationSteps, temperaturesAt: { student, teacher } }: PassOptions,
  bindings:
    & { student?: Tensor }
    & Record<"teacher" | "center" | "student_state" | "teacher_state" | "out" | "pair", Tensor>,
  first: boolean,
): void {
  const { size, shape: [rows, dim] } = bindings.out;
  const { constants, workgroups } = longRowLaunch(gpu, rows, dim);
  gpu.dispatch(DINO_STUDENT, {
    constants: { ...constants, VEC: dim % 4 === 0, IN_PLACE: !bindings.student },
    bindings: { student: undefined, ...bindings, scalars: tableOf(student, teacher) },
    params: {
      ...{ rows, dim, batch, globals, views },
      student_temp: student.index,
      teacher_temp: teacher.index,
      first: +first,
      whole_batch: batch * accumulationSteps,
    },
    workgroups,
    flops: (5 + 9 * globals) * size,
  });
}

/** The mean of the teacher's distributions [C]; a micro-batch's contribution to it is added. */
export function meanTeacher(
  gpu: Gpu,
  { accumulationSteps, temperaturesAt: { teacher: temp } }: PassOptions,
  tensors: Record<"teacher" | "center" | "state" | "out", Tensor>,
): void {
  const [rows, dim] = tensors.teacher.shape;
  gpu.dispatch(DINO_MEAN_TEACHER, {
    bindings: { ...tensors, scalars: temp.table },
    params: {
      ...{ rows, dim, temp_index: temp.index },
      whole_rows: rows * accumulationSteps,
      accumulate: +(accumulationSteps > 1),
    },
    workgroups: grid(dim, 64),
    flops: 5 * tensors.teacher.size,
  });
}

/**
 * One Sinkhorn–Knopp half-iteration: the centre [C] that gives every prototype the same weight, of the rows whose
 * `weights` are not 0, where there are some.
 */
export function sinkhornCenter(
  gpu: Gpu,
  temp: Scalar,
  tensors: Record<"teacher" | "center" | "state", Tensor> & { weights?: Tensor },
  first: boolean,
): void {
  const [rows, dim] = tensors.teacher.shape;
  gpu.dispatch(SINKHORN, {
    constants: { WEIGHTED: !!tensors.weights },
    bindings: { weights: undefined, ...tensors, scalars: temp.table },
    params: { rows, dim, temp_index: temp.index, first: +first },
    workgroups: grid(dim, 64),
    flops: 7 * tensors.teacher.size,
  });
}

/** Metrics [4] of a batch. */
export function finish(gpu: Gpu, { pairLoss, entropy, meanTeacher }: LossSums): Tensor {
  const metrics = gpu.empty([4], "metrics");
  const { constants } = rowLaunch(gpu, 1, meanTeacher.size);
  gpu.dispatch(DINO_FINISH, {
    constants,
    bindings: { pair_loss: pairLoss, entropy, mean_teacher: meanTeacher, metrics },
    params: { globals: pairLoss.shape[0], views: pairLoss.shape[1], dim: meanTeacher.size },
    workgroups: [1],
    flops: 3 * meanTeacher.size,
  });
  return metrics;
}

/**
 * center ← m · center + (1 − m) · mean, unless the flag is set or the loss is not finite; with `counted`, nor where
 * the fifth of the metrics, how many rows the mean is of, is 0.
 */
export function moveCenter(
  gpu: Gpu,
  center: Tensor,
  mean: Tensor,
  momentum: number,
  metrics: Tensor,
  { flag, counted = false }: { flag?: Tensor; counted?: boolean } = {},
): void {
  gpu.dispatch(DINO_CENTER, {
    constants: { COUNTED: counted },
    bindings: { mean, metrics, flag, center },
    params: { dim: center.size, momentum, rest: 1 - momentum },
    workgroups: grid(center.size, 64),
    flops: 3 * center.size,
  });
}
