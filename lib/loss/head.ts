/**
 * Logits of the last layer, weight-normed or plain, chunk by chunk, with the layer's backward pass.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import type { LastLayer } from "../model/head.ts";
import { matmul } from "../ops/matmul.ts";
import { claim } from "../ops/weight.ts";
import { type NormalizedWeight, weightNorm, weightNormBackward } from "../ops/weight_norm.ts";
import type { Chunk, LogitSource } from "./passes.ts";

/** What goes into a last layer, and the layer: what {@linkcode DinoModel.bottleneck} gives. */
export interface HeadInput {
  /** The L2-normalised bottleneck [R, D]. */
  bottleneck: Tensor;
  /** The layer: weightV [K, D] and, of a weight-normed one, weightG [K, 1]; the student's with `grad` or not. */
  lastLayer: LastLayer;
}

/** Bytes of a pass over all columns at once, and of a pass over a chunk where that is too much. */
const WHOLE = 64 * 2 ** 20, CHUNK = 16 * 2 ** 20;

/**
 * Columns whose logits exist at once: all while they and what they are made of take {@linkcode WHOLE}
 * bytes at most, else as many as take {@linkcode CHUNK}. A column takes a logit of each row of both
 * networks, its weight in both, and the gradient of one. Both are far below what any adapter binds.
 */
export function defaultChunk(outDim: number, rows: number, width: number): number {
  const column = 4 * (rows + 3 * width);
  if (outDim * column <= WHOLE) return outDim;
  return Math.min(outDim, Math.max(64, Math.floor(CHUNK / column / 64) * 64));
}

/** Memory of one network's chunk, used again for every chunk. */
interface Room {
  logits: Tensor;
  /** Of a weight-normed layer. */
  normed?: NormalizedWeight;
}

/** Logits of a chunk and the weight that they were made with. */
interface Made extends Partial<Pick<NormalizedWeight, "norms">> {
  logits: Tensor;
  w: Tensor;
}

/**
 * The source. `gradInput` [V·B, D] receives the gradient of the student's bottleneck, its layer's weights
 * theirs; the teacher gets none.
 *
 * @param inPlace Let the gradient replace the logits.
 */
export function headSource(
  gpu: Gpu,
  student: HeadInput,
  teacher: HeadInput,
  chunkSize: number,
  inPlace: boolean,
): LogitSource & { gradInput: Tensor } {
  const [outDim, dim] = student.lastLayer.weightV.data.shape;
  const most = Math.min(chunkSize, outDim);
  const chunks: Chunk[] = [];
  for (let start = 0; start < outDim; start += most) {
    chunks.push({ start, size: Math.min(most, outDim - start) });
  }
  const rowsOf = (input: HeadInput) => input.bottleneck.size / dim;
  const room = (input: HeadInput, label: string): Room => ({
    normed: input.lastLayer.weightG && {
      w: gpu.empty([most, dim], `${label}_weight`),
      norms: gpu.empty([most], `${label}_norms`),
    },
    logits: gpu.empty([rowsOf(input), most], `${label}_logits`),
  });
  const [forStudent, forTeacher] = [room(student, "student"), room(teacher, "teacher")];
  const gradInput = gpu.empty([rowsOf(student), dim], "bottleneck.grad");
  const separate = inPlace ? undefined : gpu.empty(forStudent.logits.shape, "logits.grad");

  /** The chunk's part of a tensor with one row per output. */
  const rows = (t: Tensor, { start, size }: Chunk) => {
    const width = t.size / outDim;
    return t.view([size, width], start * width);
  };
  /** The chunk's weight: a part of a plain layer's, else made in its room. */
  const weightOf = ({ weightV, weightG }: LastLayer, { normed }: Room, chunk: Chunk) => {
    const v = rows(weightV.data, chunk);
    if (!weightG || !normed) return { w: v };
    const { size } = chunk;
    const out = { w: normed.w.view([size, dim]), norms: normed.norms.view([size]) };
    weightNorm(gpu, v, rows(weightG.data, chunk), out);
    return out;
  };
  const logitsOf = (input: HeadInput, memory: Room) => {
    let held: Chunk | undefined;
    let now: Made;
    return (chunk: Chunk): Made => {
      if (held === chunk) return now;
      held = chunk;
      const logits = memory.logits.view([rowsOf(input), chunk.size]);
      now = { ...weightOf(input.lastLayer, memory, chunk), logits };
      matmul(gpu, input.bottleneck, now.w, { transB: true, out: logits });
      return now;
    };
  };
  const [studentAt, teacherAt] = [logitsOf(student, forStudent), logitsOf(teacher, forTeacher)];
  const { weightV, weightG } = student.lastLayer;
  const [dv, dg] = [claim(weightV), weightG && claim(weightG)];
  const dw = weightG && gpu.empty([most, dim], "weight.grad");
  const unused = dv || !dg ? undefined : gpu.empty([most, dim], "weight_v.grad");
  let filled = false;
  return {
    chunks,
    gradInput,
    student: (chunk) => studentAt(chunk).logits,
    teacher: (chunk) => teacherAt(chunk).logits,
    grad: (chunk) => {
      const { logits } = studentAt(chunk);
      return separate ? separate.view(logits.shape) : logits;
    },
    backward(chunk, grad) {
      const { w, norms } = studentAt(chunk);
      matmul(gpu, grad, w, { out: gradInput, accumulate: filled });
      filled = true;
      if (!dv && !dg) return;
      const target = (t: NonNullable<typeof dv>) => ({ ...t, out: rows(t.out, chunk) });
      const ofWeight = { transA: true };
      if (!weightG || !dw || !norms) {
        matmul(gpu, grad, student.bottleneck, { ...ofWeight, ...target(dv!) });
        return;
      }
      const out = matmul(gpu, grad, student.bottleneck, { ...ofWeight, out: dw.view(w.shape) });
      const at = { v: rows(weightV.data, chunk), g: rows(weightG.data, chunk), norms };
      const forV = dv ? target(dv) : { out: unused!.view(w.shape), accumulate: false };
      weightNormBackward(gpu, at, out, forV, dg && target(dg));
    },
  };
}
