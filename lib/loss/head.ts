/**
 * Logits of the weight-normed last layer, chunk by chunk, with the layer's backward pass.
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
  /** The layer: weightV [K, D] and weightG [K, 1]; the student's with `grad` or not. */
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
interface Room extends NormalizedWeight {
  logits: Tensor;
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
    w: gpu.empty([most, dim], `${label}_weight`),
    norms: gpu.empty([most], `${label}_norms`),
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
  const narrow = (to: Room, input: HeadInput, { size }: Chunk): Room => ({
    w: to.w.view([size, dim]),
    norms: to.norms.view([size]),
    logits: to.logits.view([rowsOf(input), size]),
  });
  const logitsOf = (input: HeadInput, memory: Room) => {
    let held: Chunk | undefined;
    let now: Room;
    return (chunk: Chunk): Room => {
      if (held === chunk) return now;
      held = chunk;
      now = narrow(memory, input, chunk);
      const { weightV, weightG } = input.lastLayer;
      weightNorm(gpu, rows(weightV.data, chunk), rows(weightG.data, chunk), now);
      matmul(gpu, input.bottleneck, now.w, { transB: true, out: now.logits });
      return now;
    };
  };
  const [studentAt, teacherAt] = [logitsOf(student, forStudent), logitsOf(teacher, forTeacher)];
  const [dv, dg] = [claim(student.lastLayer.weightV), claim(student.lastLayer.weightG)];
  const dw = gpu.empty([most, dim], "weight.grad");
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
      const { weightV, weightG } = student.lastLayer;
      const out = matmul(gpu, grad, student.bottleneck, { transA: true, out: dw.view(w.shape) });
      const at = { v: rows(weightV.data, chunk), g: rows(weightG.data, chunk), norms };
      const target = (t: NonNullable<typeof dv>) => ({ ...t, out: rows(t.out, chunk) });
      const forV = dv ? target(dv) : { out: unused!.view(w.shape), accumulate: false };
      weightNormBackward(gpu, at, out, forV, dg && target(dg));
    },
  };
}
