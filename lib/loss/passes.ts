/**
 * The DINO loss over logits that come chunk by chunk, all columns at once being the special case.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { columnSum } from "../ops/reduce.ts";
import {
  meanTeacher,
  type PassOptions,
  rowState,
  sinkhornCenter,
  studentPass,
  updateRowState,
} from "./kernels.ts";
import { sumRows } from "./sums.ts";

/** Sinkhorn–Knopp iterations, as in DINOv2. */
const SINKHORN_ITERATIONS = 3;

/** Some columns of the logits. */
export interface Chunk {
  /** First column, a multiple of 64. */
  start: number;
  /** Number of columns. */
  size: number;
}

/** Where logits come from and gradients go. Asked for the same chunk twice in a row, it computes it once. */
export interface LogitSource {
  /** All columns, in order. */
  chunks: readonly Chunk[];
  /** [V·B, C]. */
  student(chunk: Chunk): Tensor;
  /** [G·B, C]. */
  teacher(chunk: Chunk): Tensor;
  /** Room for the gradient [V·B, C]; the chunk's own logits where they are no longer needed. */
  grad(chunk: Chunk): Tensor;
  /** Takes the gradient. */
  backward(chunk: Chunk, grad: Tensor): void;
}

/** Given logits, and room for the gradient of the student's. */
export function tensorSource(student: Tensor, teacher: Tensor, grad: Tensor): LogitSource {
  return {
    chunks: [{ start: 0, size: student.shape[1] }],
    student: () => student,
    teacher: () => teacher,
    grad: () => grad,
    backward() {},
  };
}

/** A chunk's part of a [K] tensor. */
const columns = (t: Tensor, { start, size }: Chunk): Tensor => t.view([size], start);

/**
 * Once over the chunks for the log-sum-exp of every row, once more, backwards, for loss and gradient (the
 * last chunk is still there). Sinkhorn–Knopp takes the teacher's logits two more times.
 */
export function dinoPasses(gpu: Gpu, options: PassOptions, source: LogitSource): void {
  const { batch, globals, views, outDim, centering, sums, accumulationSteps } = options;
  const accumulate = accumulationSteps > 1;
  const scale = 1 / (batch * accumulationSteps);
  const temps = options.temperaturesAt;
  const { chunks } = source;
  const student = rowState(gpu, views * batch, "student");
  let teacher = rowState(gpu, globals * batch, "teacher");
  const sinkhorn = centering === "sinkhorn_knopp";
  const centers = sinkhorn ? gpu.empty([outDim], "sinkhorn_center") : options.center;

  chunks.forEach((chunk, i) => {
    const t = source.teacher(chunk), center = columns(centers, chunk);
    const out = columns(sums.batchMean, chunk);
    columnSum(gpu, t, { out, accumulate, scale: 1 / (globals * batch * accumulationSteps) });
    if (sinkhorn) sinkhornCenter(gpu, options, { teacher: t, center, state: teacher.state }, true);
    updateRowState(gpu, t, center, temps.teacher, teacher, i === 0);
    updateRowState(gpu, source.student(chunk), undefined, temps.student, student, i === 0);
  });
  for (let iteration = 1; sinkhorn && iteration < SINKHORN_ITERATIONS; iteration++) {
    const next = rowState(gpu, globals * batch, "teacher");
    chunks.forEach((chunk, i) => {
      const t = source.teacher(chunk), center = columns(centers, chunk);
      sinkhornCenter(gpu, options, { teacher: t, center, state: teacher.state }, false);
      updateRowState(gpu, t, center, temps.teacher, next, i === 0);
    });
    teacher = next;
  }

  const pair = gpu.empty([globals * views, batch], "pair");
  chunks.toReversed().forEach((chunk, i) => {
    const t = source.teacher(chunk), center = columns(centers, chunk);
    const logits = source.student(chunk);
    const grad = source.grad(chunk);
    studentPass(gpu, options, {
      student: grad === logits ? undefined : logits,
      teacher: t,
      center,
      student_state: student.state,
      teacher_state: teacher.state,
      out: grad,
      pair,
    }, i === 0);
    const out = columns(sums.meanTeacher, chunk);
    meanTeacher(gpu, options, { teacher: t, center, state: teacher.state, out });
    source.backward(chunk, grad);
  });
  sumRows(gpu, pair, { out: sums.pairLoss, scale, accumulate });
  const entropy = teacher.entropy.view([globals, batch]);
  sumRows(gpu, entropy, { out: sums.entropy, scale, accumulate });
}
