/**
 * Where the first number came from that is not finite.
 *
 * @module
 */
import { type DType, type Gpu, record, sizeOf, StepScalars, type Tensor } from "./gpu.ts";
import type { PatchMasks } from "./augmentation.ts";
import { type DinoModel, type LastLayer, type Parameters, RunningStats } from "./model.ts";
import { readFeatures } from "./model/reads.ts";
import { lastLogits } from "./model/head.ts";
import { type DropPathSource, gatherRows } from "./ops.ts";

/** Elements downloaded at once (16 MiB), and what the start of a view is a multiple of. */
const READ = 2 ** 22, ALIGN = 128;

/** What goes into a training step. */
export interface StepInputs {
  /** The model. */
  model: DinoModel;
  /** The student's weights from before the step. */
  student: Parameters;
  /** The teacher's. */
  teacher?: Parameters;
  /** Images per crop size [n, C, H, W], view-major; the first tensor holds the global views. */
  crops: readonly Tensor[];
  /** Which patches of the global views the student did not see, for a model with iBOT. */
  masks?: Pick<PatchMasks, "mask" | "rows">;
  /** What the step's activations were stored as; f32 by default. */
  precision?: DType;
  /** Where the same branches as in the step are to be dropped; without it nothing is. */
  dropPath?: StepAddress;
}

/** The drop path of a step, or of a micro-batch of it. */
export interface StepAddress {
  /** The run's seed. */
  seed: number;
  /** The step's number. */
  step: number;
  /** Of a step in micro-batches: pictures of each, which one this is, from 0, and how many there are. */
  microBatch?: { batch: number; index: number; accumulationSteps: number };
}

/** A tensor that holds NaN or infinity, or as halves the largest of them, which drivers may round to what is beyond. */
export interface NonFinite {
  /** `crops`, or `student.` or `teacher.` and the name of a parameter, `tokens`, `block.0` … `logits`. */
  name: string;
  /** Pixels of the views that it belongs to, `96×96`; absent where it belongs to all of them. */
  views?: string;
  /** Its shape. */
  shape: readonly number[];
  /** Where in it the first one is, per dimension; the first dimension of crops counts view-major. */
  index: readonly number[];
  /** The first one. */
  value: "NaN" | "Infinity" | "-Infinity" | "65504" | "-65504";
  /** How many there are. */
  count: number;
  /** All of this in words. */
  text: string;
}

/** What is looked at, and some elements of it, from `start` on. */
type Subject = Pick<NonFinite, "name" | "views" | "shape">;
type Part = { of: Subject; start: number; tensor: Tensor };

/**
 * Names the first tensor that holds NaN or infinity, in the order of computation: the crops, the student's
 * parameters, the teacher's, then all that the teacher's and the student's forward passes make of them
 * (`tokens` and `block.<i>` of each crop size, features, `bottleneck`, `normalized`, `logits`, and what the
 * contrastive head and that of masked patches make). Call it
 * when the non-finite flag of a step is set: the state is then that from before the step. Takes the memory
 * of one forward pass without its backward pass, and leaves nothing behind.
 *
 * @returns Undefined when all are finite: then it was the loss or the backward pass.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { DinoModel, initialize, Parameters } from "@hatchling/hatchling/model";
 * import { firstNonFinite } from "@hatchling/hatchling/train";
 *
 * const gpu = await openGpu();
 * const model = new DinoModel({ imageSize: 8, patchSize: 4, dim: 8, depth: 1, heads: 2 }, { outDim: 16 });
 * const [student, teacher] = [new Parameters(gpu, model.specs()), new Parameters(gpu, model.specs())];
 * for (const weights of [student, teacher]) weights.load(initialize(model.specs(), 0));
 * const crops = [gpu.tensor(new Float32Array(4 * 3 * 8 * 8).fill(NaN, 200, 203), [4, 3, 8, 8])];
 * const found = await firstNonFinite(gpu, { model, student, teacher, crops });
 * console.log(found!.text); // NaN in crops (8×8) at [1, 0, 1, 0], the first of 3 among 768 numbers
 * for (const t of [student, teacher, ...crops]) t.destroy();
 * gpu.destroy();
 * ```
 */
export async function firstNonFinite(gpu: Gpu, inputs: StepInputs): Promise<NonFinite | undefined> {
  let found: { of: Subject; at: number; value: number; count: number; dtype: DType } | undefined;
  search: for await (const parts of inOrder(gpu, inputs)) {
    const values = await gpu.read(parts.map(({ tensor }) => tensor));
    for (const [i, { of, start, tensor }] of parts.entries()) {
      if (found && found.of !== of) break search;
      const end = tensor.dtype === "f16" ? 65504 : Infinity;
      values[i].forEach((value, j) => {
        if (!(Math.abs(value) < end)) {
          (found ??= { of, at: start + j, value, count: 0, dtype: tensor.dtype }).count++;
        }
      });
    }
  }
  if (!found) return undefined;
  const { of: { name, views, shape }, at, count } = found;
  const value = String(found.value) as NonFinite["value"];
  const index = shape.map((n, i) => Math.floor(at / sizeOf(shape.slice(i + 1))) % n);
  const beyond = found.dtype === "f16" && value !== "NaN"
    ? ", beyond what a half holds: device.precision f32 has room for it"
    : "";
  const text =
    `${name}${views ? ` (${views})` : ""}: ${value} at [${index.join(", ")}], the first of ` +
    `${count} in ${sizeOf(shape)} numbers${beyond}`;
  return { name, views, shape, index, value, count, text };
}

/** All parts in their order, a few at a time: made when they are asked for, freed when the next ones are. */
async function* inOrder(gpu: Gpu, inputs: StepInputs) {
  const { model, student, teacher, crops, masks, dropPath, precision } = inputs;
  const sizes = crops.map(({ shape: [, , height, width] }) => `${width}×${height}`);
  const part = (name: string, tensor: Tensor, size?: number): Part => {
    return { of: { name, views: sizes[size ?? -1], shape: tensor.shape }, start: 0, tensor };
  };
  yield* pieces(crops.map((tensor, i) => part("crops", tensor, i)));
  yield* pieces(student.all.map(({ name, data }) => part(`student.${name}`, data)));
  if (teacher) yield* pieces(teacher.all.map(({ name, data }) => part(`teacher.${name}`, data)));
  for (const [who, params] of [["teacher", teacher], ["student", student]] as const) {
    if (!params) continue;
    const views = params === student ? crops : crops.slice(0, 1);
    const stats = RunningStats.of(gpu, params);
    const program = await record(gpu, () => {
      stats?.begin();
      const seen: Part[] = [];
      const watch = (name: string, tensor: Tensor, size?: number) =>
        void seen.push(part(`${who}.${name}`, tensor, size));
      const drop = params === student && dropPath ? sourceOf(gpu, dropPath) : undefined;
      const { head, feature, contrastive, patchHead } = model;
      const words = [...head ? [feature] : [], ...contrastive ? [contrastive.feature] : []];
      const mask = params === student ? masks?.mask : undefined;
      const reading = { features: words, patches: !!patchHead, mask, stats, precision };
      const options = { watch, dropPath: drop, ...reading };
      const reads = readFeatures(gpu, model.backbone, params, views, options);
      const made = head?.bottleneck(gpu, params, reads.feature(feature), { watch, precision });
      contrastive?.forward(gpu, params, reads.feature(contrastive.feature), {
        precision,
        watch: (name, tensor) => watch(`contrastive_${name}`, tensor),
      });
      if (patchHead && masks) {
        const rows = gatherRows(gpu, reads.crops[0].tokens, masks.rows);
        patchHead.bottleneck(gpu, params, rows, {
          precision,
          watch: (name, tensor) => watch(`ibot_${name}`, tensor),
        });
      }
      return { seen, x: made?.y, lastLayer: made?.lastLayer };
    });
    try {
      program.run();
      const { seen, x, lastLayer } = program.outputs;
      yield* pieces(seen);
      if (x && lastLayer) yield* logits(gpu, `${who}.logits`, x, lastLayer);
    } finally {
      program.destroy();
      stats?.destroy();
    }
  }
}

/** The same drop path as the step's. */
function sourceOf(gpu: Gpu, { seed, step, microBatch }: StepAddress): DropPathSource {
  const scalars = new StepScalars(gpu, ["step", "microBatch"]);
  scalars.write({ step, microBatch: microBatch?.index });
  const index = scalars.at("microBatch");
  return { seed, step: scalars.at("step"), microBatch: microBatch && { ...microBatch, index } };
}

/** Logits of some rows at a time: all of them may be more than can be bound at once. */
function* logits(gpu: Gpu, name: string, x: Tensor, layer: LastLayer) {
  const [rows, dim] = x.shape, [outDim] = layer.weightV.data.shape;
  const most = Math.max(1, Math.floor(READ / outDim / ALIGN)) * ALIGN;
  const of = { name, shape: [rows, outDim] };
  for (let row = 0; row < rows; row += most) {
    const some = x.view([Math.min(most, rows - row), dim], row * dim);
    const { y } = gpu.scope(() => ({ y: lastLogits(gpu, some, layer).y }));
    try {
      yield* pieces([{ of, start: row * outDim, tensor: y }]);
    } finally {
      y.destroy();
    }
  }
}

/** The same elements in groups that are read at once. */
function* pieces(parts: readonly Part[]): Generator<Part[]> {
  let group: Part[] = [], room = READ;
  for (const { of, start, tensor } of parts) {
    for (let at = 0, n; at < tensor.size; at += n) {
      n = Math.min(tensor.size - at, room);
      group.push({ of, start: start + at, tensor: tensor.view([n], at) });
      if ((room -= Math.ceil(n / ALIGN) * ALIGN) > 0) continue;
      yield group;
      [group, room] = [[], READ];
    }
  }
  if (group.length) yield group;
}
