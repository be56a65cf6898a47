/**
 * The DINO loss over logits that come chunk by chunk, all columns at once being the special case.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { columnSum, rowSum } from "../ops/reduce.ts";
import {
  meanTeacher,
  type PassOptions,
  rowState,
  sinkhornCenter,
  studentPass,
  updateRowState,
} from "./kernels.ts";
import type { Centering, TemperaturesAt } from "./options.ts";

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
export const columns = (t: Tensor, { start, size }: Chunk): Tensor => t.view([size], start);

/** What does not depend on which rows meet. */
export interface WalkOptions {
  /** Rows of the student's logits, and of the teacher's. */
  rows: { student: number; teacher: number };
  /** K. */
  outDim: number;
  /** Which centre the teacher's logits lose. */
  centering: Centering;
  /** What they lose [K], unless Sinkhorn–Knopp finds it. */
  center: Tensor;
  /** Both temperatures. */
  temperaturesAt: TemperaturesAt;
  /** [rows.teacher]: rows of weight 0 do not count for Sinkhorn–Knopp; all do without it. */
  weights?: Tensor;
}

/** What a loss makes of a chunk. */
export interface ChunkUse {
  /** Is shown the teacher's raw logits [rows, C] of each chunk, in order. */
  raw?(chunk: Chunk, teacher: Tensor): void;
  /**
   * Meets all that is known of the rows by then, chunk after chunk, backwards; fills `out`, the gradient of the
   * student's logits. `student` are these, unless they come in `out`; `first` says that it is the first call.
   */
  meet(
    chunk: Chunk,
    tensors: {
      student?: Tensor;
      out: Tensor;
      teacher: Tensor;
      center: Tensor;
      student_state: Tensor;
      teacher_state: Tensor;
    },
    first: boolean,
  ): void;
}

/**
 * Once over the chunks for the log-sum-exp of every row, once more, backwards, for loss and gradient (the
 * last chunk is still there). Sinkhorn–Knopp takes the teacher's logits two more times.
 *
 * @returns The entropies of the teacher's rows.
 */
export function walkChunks(
  gpu: Gpu,
  { rows, outDim, centering, center: given, temperaturesAt: temps, weights }: WalkOptions,
  source: LogitSource,
  use: ChunkUse,
): Tensor {
  const { chunks } = source;
  const student = rowState(gpu, rows.student, "student");
  let teacher = rowState(gpu, rows.teacher, "teacher");
  const sinkhorn = centering === "sinkhorn_knopp";
  const centers = sinkhorn ? gpu.empty([outDim], "sinkhorn_center") : given;
  const balance = (t: Tensor, center: Tensor, first: boolean) => {
    const tensors = { teacher: t, center, state: teacher.state, weights };
    sinkhornCenter(gpu, temps.teacher, tensors, first);
  };

  chunks.forEach((chunk, i) => {
    const t = source.teacher(chunk), center = columns(centers, chunk);
    use.raw?.(chunk, t);
    if (sinkhorn) balance(t, center, true);
    updateRowState(gpu, t, center, temps.teacher, teacher, i === 0);
    updateRowState(gpu, source.student(chunk), undefined, temps.student, student, i === 0);
  });
  for (let iteration = 1; sinkhorn && iteration < SINKHORN_ITERATIONS; iteration++) {
    const next = rowState(gpu, rows.teacher, "teacher");
    chunks.forEach((chunk, i) => {
      const t = source.teacher(chunk), center = columns(centers, chunk);
      balance(t, center, false);
      updateRowState(gpu, t, center, temps.teacher, next, i === 0);
    });
    teacher = next;
  }

  chunks.toReversed().forEach((chunk, i) => {
    const t = source.teacher(chunk), center = columns(centers, chunk);
    const logits = source.student(chunk);
    const out = source.grad(chunk);
    const states = { student_state: student.state, teacher_state: teacher.state };
    const own = out === logits ? {} : { student: logits };
    use.meet(chunk, { ...own, out, teacher: t, center, ...states }, i === 0);
    source.backward(chunk, out);
  });
  return teacher.entropy;
}

/** The DINO loss and its gradient: every view of the student meets all global views of the teacher but itself. */
export function dinoPasses(gpu: Gpu, options: PassOptions, source: LogitSource): void {
  const { batch, globals, views, sums, accumulationSteps } = options;
  const accumulate = accumulationSteps > 1;
  const scale = 1 / (batch * accumulationSteps);
  const rows = { student: views * batch, teacher: globals * batch };
  const pair = gpu.empty([globals * views, batch], "pair");
  const entropy = walkChunks(gpu, { ...options, rows }, source, {
    raw(chunk, teacher) {
      const out = columns(sums.batchMean, chunk);
      const share = 1 / (rows.teacher * accumulationSteps);
      columnSum(gpu, teacher, { out, accumulate, scale: share });
    },
    meet(chunk, tensors, first) {
      studentPass(gpu, options, { ...tensors, pair }, first);
      const { teacher, center, teacher_state: state } = tensors;
      const out = columns(sums.meanTeacher, chunk);
      meanTeacher(gpu, options, { teacher, center, state, out });
    },
  });
  rowSum(gpu, pair, { out: sums.pairLoss, scale, accumulate });
  rowSum(gpu, entropy.view([globals, batch]), { out: sums.entropy, scale, accumulate });
}
