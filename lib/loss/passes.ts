/**
 * The DINO loss over logits that come chunk by chunk, all columns at once being the special case.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu/mod.ts";
import { columnSum } from "../ops/reduce.ts";
import {
  meanTeacher,
  type RowState,
  rowState,
  sinkhornCenter,
  studentPass,
  type Temperature,
  updateRowState,
} from "./kernels.ts";
import type { Centering, TemperatureSource } from "./options.ts";
import { type LossSums, sumRows } from "./sums.ts";

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

/** What does not depend on where logits come from. */
export interface PassOptions {
  /** B. */
  batch: number;
  /** G. */
  globals: number;
  /** V. */
  views: number;
  /** K. */
  outDim: number;
  /** Which centre the teacher's logits lose. */
  centering: Centering;
  /** What the teacher's logits lose [K], unless Sinkhorn–Knopp finds it. */
  center: Tensor;
  /** Both temperatures. */
  temperatures: TemperatureSource;
  /** Receives what is left of the batch. */
  sums: LossSums;
  /** Equal parts that the batch comes in. Of more than one, each is added to the sums. */
  parts: number;
}

/** Columns of a [K] tensor. */
export const part = (t: Tensor, { start, size }: Chunk): Tensor => t.view([size], start);

/**
 * Once over the chunks for the log-sum-exp of every row, once more, backwards, for loss and gradient (the
 * last chunk is still there). Sinkhorn–Knopp takes the teacher's logits two more times.
 */
export function dinoPasses(gpu: Gpu, options: PassOptions, source: LogitSource): void {
  const { batch, globals, views, outDim, centering, sums, parts } = options;
  const accumulate = parts > 1;
  const whole = batch * parts;
  const { scalars, studentTemp, teacherTemp } = options.temperatures;
  const [forStudent, forTeacher]: Temperature[] = [studentTemp, teacherTemp]
    .map((index) => ({ scalars, index }));
  const { chunks } = source;
  const student = rowState(gpu, views * batch, "student");
  let teacher = rowState(gpu, globals * batch, "teacher");
  const sinkhorn = centering === "sinkhorn_knopp";
  const center = sinkhorn ? gpu.empty([outDim], "sinkhorn_center") : options.center;

  const sinkhornStep = (t: Tensor, chunk: Chunk, before: RowState, iteration: number) =>
    sinkhornCenter(gpu, t, before.state, forTeacher, part(center, chunk), iteration === 0);
  chunks.forEach((chunk, i) => {
    const t = source.teacher(chunk);
    const out = part(sums.batchMean, chunk);
    columnSum(gpu, t, { out, accumulate, scale: 1 / (globals * whole) });
    if (sinkhorn) sinkhornStep(t, chunk, teacher, 0);
    updateRowState(gpu, t, part(center, chunk), forTeacher, teacher, i === 0);
    updateRowState(gpu, source.student(chunk), undefined, forStudent, student, i === 0);
  });
  for (let iteration = 1; sinkhorn && iteration < SINKHORN_ITERATIONS; iteration++) {
    const next = rowState(gpu, globals * batch, "teacher");
    chunks.forEach((chunk, i) => {
      const t = source.teacher(chunk);
      sinkhornStep(t, chunk, teacher, iteration);
      updateRowState(gpu, t, part(center, chunk), forTeacher, next, i === 0);
    });
    teacher = next;
  }

  const pair = gpu.empty([globals * views, batch], "pair");
  chunks.toReversed().forEach((chunk, i) => {
    const t = source.teacher(chunk);
    const logits = source.student(chunk);
    const grad = source.grad(chunk);
    studentPass(gpu, {
      student: grad === logits ? undefined : logits,
      teacher: t,
      center: part(center, chunk),
      studentState: student.state,
      teacherState: teacher.state,
      studentTemp: forStudent,
      teacherTemp,
      grad,
      pair,
      sizes: { batch, globals, views, whole },
      first: i === 0,
    });
    const out = part(sums.meanTeacher, chunk);
    meanTeacher(gpu, t, part(center, chunk), teacher.state, forTeacher, out, parts);
    source.backward(chunk, grad);
  });
  const scale = 1 / whole;
  sumRows(gpu, pair, { out: sums.pairLoss, scale, accumulate });
  const entropy = teacher.entropy.view([globals, batch]);
  sumRows(gpu, entropy, { out: sums.entropy, scale, accumulate });
}
