/**
 * Plain arrays to the GPU and back.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu/mod.ts";
import type { LastLayer } from "../model/head.ts";

/** An array on its way to the GPU. */
export interface ArrayInput {
  /** The numbers, row-major. */
  values: Float32Array;
  /** Their columns. */
  columns: number;
}

/**
 * A copy of an array, which the caller may change meanwhile.
 *
 * @param batch B, where rows are view-major.
 * @throws {HatchlingError} When a number is not finite.
 */
export function arrayInput(
  name: string,
  values: Float32Array,
  columns: number,
  batch?: number,
): ArrayInput {
  const at = values.findIndex((x) => !Number.isFinite(x));
  if (at < 0) return { values: values.slice(), columns };
  const row = Math.floor(at / columns);
  const which = batch ? ` (view ${Math.floor(row / batch)}, sample ${row % batch})` : "";
  throw new HatchlingError(
    `DinoLoss: expected finite numbers in ${name} but found ${
      values[at]
    } in row ${row}${which}, column ` +
      `${at % columns}: look where it comes from; too high a learning rate is the usual cause`,
  );
}

/** Uploads arrays, runs a function of tensors, downloads what it returns and frees all but `keep`. */
export async function withArrays<I extends string, O extends string>(
  gpu: Gpu,
  inputs: Record<I, ArrayInput>,
  run: (tensors: Record<I, Tensor>) => Record<O, Tensor>,
  keep: Tensor,
): Promise<Record<O, Float32Array>> {
  const entries = Object.entries(inputs) as [I, ArrayInput][];
  const outputs = gpu.scope(() => {
    const tensors = entries.map(([name, { values, columns }]) => [
      name,
      gpu.tensor(values, [values.length / columns, columns], name),
    ]);
    return run(Object.fromEntries(tensors));
  });
  const list = Object.entries(outputs) as [O, Tensor][];
  try {
    const values = await gpu.read(list.map(([, tensor]) => tensor));
    return Object.fromEntries(list.map(([name], i) => [name, values[i]])) as Record<
      O,
      Float32Array
    >;
  } finally {
    for (const [, tensor] of list) if (tensor !== keep) tensor.destroy();
  }
}

/** A last layer as plain arrays. */
export interface LastLayerArrays {
  /** Directions v, [K, D]. */
  weightV: Float32Array;
  /** Lengths g, [K]; ones by default. */
  weightG?: Float32Array;
}

/** Arguments of the loss of a head: bottleneck and last layer of the student, then of the teacher. */
export type HeadArrays = [Float32Array, LastLayerArrays, Float32Array, LastLayerArrays];

type HeadInputs =
  | "bottleneck"
  | "weightV"
  | "weightG"
  | "teacherBottleneck"
  | "teacherWeightV"
  | "teacherWeightG";

/** Those arguments by name; D columns, B images. */
export function headInputs(
  [x, layer, teacherX, teacherLayer]: HeadArrays,
  outDim: number,
  columns: number,
  batch: number,
): Record<HeadInputs, ArrayInput> {
  const weights = (name: string, { weightV, weightG }: LastLayerArrays) => [
    arrayInput(`${name} weightV`, weightV, columns),
    arrayInput(`${name} weightG`, weightG ?? new Float32Array(outDim).fill(1), 1),
  ];
  const [weightV, weightG] = weights("the student's", layer);
  const [teacherWeightV, teacherWeightG] = weights("the teacher's", teacherLayer);
  return {
    bottleneck: arrayInput("the student's bottleneck", x, columns, batch),
    weightV,
    weightG,
    teacherBottleneck: arrayInput("the teacher's bottleneck", teacherX, columns, batch),
    teacherWeightV,
    teacherWeightG,
  };
}

/** Both layers on the GPU; the student's with gradients. */
export function headTensors(
  t: Record<HeadInputs, Tensor>,
): {
  student: LastLayer;
  teacher: LastLayer;
  grads: Record<"gradWeightV" | "gradWeightG", Tensor>;
} {
  const [weightV, weightG] = [t.weightV, t.weightG].map((data) => ({
    data,
    grad: data.gpu.empty(data.shape, "weight.grad"),
  }));
  return {
    student: { weightV, weightG },
    teacher: { weightV: { data: t.teacherWeightV }, weightG: { data: t.teacherWeightG } },
    grads: { gradWeightV: weightV.grad, gradWeightG: weightG.grad },
  };
}
