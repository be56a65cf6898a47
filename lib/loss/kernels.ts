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
import sinkhornCode from "../../kernels/sinkhorn.wgsl" with { type: "text" };
import { defineKernel, type Gpu, grid, type SharedCode, type Tensor } from "../gpu/mod.ts";
import { rowLaunch } from "../ops/row_launch.ts";
import type { LossSums } from "./sums.ts";
import { LANES, PUT } from "../ops/shared_code.ts";

const ROWS: SharedCode = { name: "dino_rows", code: rowsCode };
const DINO_STATS = defineKernel("dino_stats", statsCode, { shared: [LANES, ROWS] });
const DINO_STUDENT = defineKernel("dino_student", studentCode, { shared: [LANES, ROWS, PUT] });
const DINO_MEAN_TEACHER = defineKernel("dino_mean_teacher", meanCode);
const DINO_FINISH = defineKernel("dino_finish", finishCode);
const DINO_CENTER = defineKernel("dino_center", centerCode);
const SINKHORN = defineKernel("sinkhorn", sinkhornCode);

/** A temperature on the GPU: a tensor of scalars and an index in it. */
export interface Temperature {
  /** The scalars. */
  scalars: Tensor;
  /** Which of them. */
  index: number;
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
  { scalars, index }: Temperature,
  { state, entropy }: RowState,
  first: boolean,
): void {
  const [rows, dim] = x.shape;
  const { constants, workgroups } = rowLaunch(gpu, rows, dim);
  gpu.dispatch(DINO_STATS, {
    constants: { ...constants, VEC: dim % 4 === 0, CENTERED: !!center },
    bindings: { x, center, scalars, state, entropy },
    params: { rows, dim, temp_index: index, first: +first },
    workgroups,
    flops: 8 * x.size,
  });
}

/** What {@linkcode studentPass} works on: a chunk of columns, all rows. */
export interface StudentPass {
  /** [V·B, C], or undefined: the logits come in `grad`. */
  student?: Tensor;
  /** [G·B, C]. */
  teacher: Tensor;
  /** [C]. */
  center: Tensor;
  /** Of the student's rows, over all columns. */
  studentState: Tensor;
  /** Of the teacher's rows, over all columns. */
  teacherState: Tensor;
  /** τs. */
  studentTemp: Temperature;
  /** Index of τt among the same scalars. */
  teacherTemp: number;
  /** [V·B, C], receives the gradient. */
  grad: Tensor;
  /** [G·V, B], receives the cross-entropies. */
  pair: Tensor;
  /** B, G, V; and the pictures of the whole batch, where this is a part of it. */
  sizes: { batch: number; globals: number; views: number; whole: number };
  /** The first chunk overwrites `pair`, further ones add. */
  first: boolean;
}

/** Cross-entropies and gradient of the student's logits. */
export function studentPass(gpu: Gpu, pass: StudentPass): void {
  const { student, grad, sizes: { batch, globals, views, whole }, studentTemp } = pass;
  const [rows, dim] = grad.shape;
  const { constants, workgroups } = rowLaunch(gpu, rows, dim);
  gpu.dispatch(DINO_STUDENT, {
    constants: { ...constants, VEC: dim % 4 === 0, IN_PLACE: !student },
    bindings: {
      student,
      teacher: pass.teacher,
      center: pass.center,
      student_state: pass.studentState,
      teacher_state: pass.teacherState,
      scalars: studentTemp.scalars,
      out: grad,
      pair: pass.pair,
    },
    params: {
      rows,
      dim,
      batch,
      globals,
      views,
      student_temp: studentTemp.index,
      teacher_temp: pass.teacherTemp,
      first: +pass.first,
      whole,
    },
    workgroups,
    flops: (5 + 9 * globals) * grad.size,
  });
}

/** The mean of the teacher's distributions [C], or a part's contribution to it: one of `parts`, added. */
export function meanTeacher(
  gpu: Gpu,
  teacher: Tensor,
  center: Tensor,
  state: Tensor,
  { scalars, index }: Temperature,
  out: Tensor,
  parts: number,
): void {
  const [rows, dim] = teacher.shape;
  gpu.dispatch(DINO_MEAN_TEACHER, {
    bindings: { teacher, center, state, scalars, out },
    params: { rows, dim, temp_index: index, whole: rows * parts, accumulate: +(parts > 1) },
    workgroups: grid(dim, 64),
    flops: 5 * teacher.size,
  });
}

/** One Sinkhorn–Knopp half-iteration: the centre [C] that gives every prototype the same weight. */
export function sinkhornCenter(
  gpu: Gpu,
  teacher: Tensor,
  state: Tensor,
  { scalars, index }: Temperature,
  center: Tensor,
  first: boolean,
): void {
  const [rows, dim] = teacher.shape;
  gpu.dispatch(SINKHORN, {
    bindings: { teacher, state, scalars, center },
    params: { rows, dim, temp_index: index, first: +first },
    workgroups: grid(dim, 64),
    flops: 7 * teacher.size,
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

/** center ← m · center + (1 − m) · mean, unless the flag is set or the loss is not finite. */
export function moveCenter(
  gpu: Gpu,
  center: Tensor,
  mean: Tensor,
  momentum: number,
  metrics: Tensor,
  flag?: Tensor,
): void {
  gpu.dispatch(DINO_CENTER, {
    bindings: { mean, metrics, flag, center },
    params: { dim: center.size, momentum, rest: 1 - momentum },
    workgroups: grid(center.size, 64),
    flops: 3 * center.size,
  });
}
