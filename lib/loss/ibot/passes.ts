/**
 * The iBOT loss over logits that come chunk by chunk, with its kernels as functions.
 *
 * @module
 */
import finishCode from "../../../kernels/ibot_finish.wgsl" with { type: "text" };
import rowsCode from "../../../kernels/ibot_rows.wgsl" with { type: "text" };
import studentCode from "../../../kernels/ibot_student.wgsl" with { type: "text" };
import teacherCode from "../../../kernels/ibot_teacher.wgsl" with { type: "text" };
import { defineKernel, type Gpu, grid, type Tensor } from "../../gpu.ts";
import { tableOf } from "../../gpu/scalars.ts";
import { longRowLaunch, rowLaunch } from "../../ops/row_launch.ts";
import { BITS } from "../../ops/wgsl_parts.ts";
import { STUDENT_PARTS } from "../kernels.ts";
import { columns, type LogitSource, walkChunks, type WalkOptions } from "../passes.ts";
import type { IbotMicroBatch, IbotSums } from "./sums.ts";

const IBOT_STUDENT = defineKernel("ibot_student", studentCode, { shared: STUDENT_PARTS });
const IBOT_TEACHER = defineKernel("ibot_teacher", teacherCode);
const IBOT_ROWS = defineKernel("ibot_rows", rowsCode, { shared: [BITS] });
const IBOT_FINISH = defineKernel("ibot_finish", finishCode, { shared: [BITS] });

/** What the passes need beside the logits. */
export interface IbotPassOptions extends Omit<WalkOptions, "rows" | "weights">, IbotMicroBatch {
  /** [M], what each token counts. */
  weights: Tensor;
  /** Factor on the gradients. */
  factor: number;
}

/**
 * Loss and gradient of M rows that meet one by one; adds to the sums.
 *
 * @param source Logits whose gradient takes their place.
 */
export function ibotPasses(gpu: Gpu, options: IbotPassOptions, source: LogitSource): void {
  const { weights, factor, sums, accumulationSteps, temperaturesAt } = options;
  const { student, teacher: temp } = temperaturesAt;
  const accumulate = +(accumulationSteps > 1);
  const rows = weights.size;
  const pair = gpu.empty([rows], "pair");
  const entropy = walkChunks(gpu, { ...options, rows: { student: rows, teacher: rows } }, source, {
    meet(chunk, { student: _, out, teacher, center, student_state, teacher_state }, first) {
      const dim = chunk.size;
      gpu.dispatch(IBOT_TEACHER, {
        bindings: {
          ...{ teacher, center, state: teacher_state, weights, scalars: temp.table },
          mean_teacher: columns(sums.meanTeacher, chunk),
          batch_sum: columns(sums.batchSum, chunk),
        },
        params: { rows, dim, temp_index: temp.index, accumulate },
        workgroups: grid(dim, 64),
        flops: 6 * out.size,
      });
      const { constants, workgroups } = longRowLaunch(gpu, rows, dim);
      gpu.dispatch(IBOT_STUDENT, {
        constants: { ...constants, VEC: dim % 4 === 0 },
        bindings: {
          ...{ teacher, center, student_state, teacher_state, weights, out, pair },
          scalars: tableOf(student, temp),
        },
        params: {
          ...{ rows, dim, student_temp: student.index, teacher_temp: temp.index },
          ...{ first: +first, factor: factor / accumulationSteps },
        },
        workgroups,
        flops: 14 * out.size,
      });
    },
  });
  gpu.dispatch(IBOT_ROWS, {
    constants: rowLaunch(gpu, 1, rows).constants,
    bindings: { pair, entropy, weights, sums: sums.rows },
    params: { rows, scale: 1 / accumulationSteps, accumulate },
    workgroups: [1],
    flops: 5 * rows,
  });
}

/** Metrics [5] of a batch, and the mean of the teacher's raw logits [K]. */
export function finishIbot(
  gpu: Gpu,
  { rows: sums, meanTeacher, batchSum }: IbotSums,
): { metrics: Tensor; batchMean: Tensor } {
  const dim = meanTeacher.size;
  const metrics = gpu.empty([5], "ibot.metrics"), batchMean = gpu.empty([dim], "ibot.batch_mean");
  gpu.dispatch(IBOT_FINISH, {
    constants: rowLaunch(gpu, 1, dim).constants,
    bindings: {
      ...{ sums, mean_teacher: meanTeacher, batch_sum: batchSum },
      ...{ batch_mean: batchMean, metrics },
    },
    params: { dim },
    workgroups: [1],
    flops: 5 * dim,
  });
  return { metrics, batchMean };
}
