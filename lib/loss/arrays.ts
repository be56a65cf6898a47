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
  /** B, where rows are view-major. */
  batch?: number;
}

/**
 * Uploads arrays, runs a function of tensors, downloads what it returns and frees everything but `keep`.
 *
 * @throws {HatchlingError} When a number is not finite; nothing has run then.
 */
export async function withArrays<I extends string, O extends string>(
  gpu: Gpu,
  inputs: Record<I, ArrayInput>,
  run: (tensors: Record<I, Tensor>) => Record<O, Tensor>,
  keep: Tensor,
): Promise<Record<O, Float32Array>> {
  const entries = Object.entries(inputs) as [I, ArrayInput][];
  for (const [name, input] of entries) checkFinite(name, input);
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

function checkFinite(name: string, { values, columns, batch }: ArrayInput): void {
  const at = values.findIndex((x) => !Number.isFinite(x));
  if (at < 0) return;
  const row = Math.floor(at / columns);
  const which = batch ? ` (view ${Math.floor(row / batch)}, sample ${row % batch})` : "";
  throw new HatchlingError(
    `DinoLoss: expected finite numbers in ${name} but found ${
      values[at]
    } in row ${row}${which}, column ` +
      `${at % columns}: look where it comes from; too high a learning rate is the usual cause`,
  );
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

/** Those arguments by name. */
export function headInputs(
  [x, layer, teacherX, teacherLayer]: HeadArrays,
  outDim: number,
  batch: number,
): Record<HeadInputs, ArrayInput> {
  const columns = layer.weightV.length / outDim;
  const g = ({ weightG }: LastLayerArrays) => ({
    values: weightG ?? new Float32Array(outDim).fill(1),
    columns: 1,
  });
  return {
    bottleneck: { values: x, columns, batch },
    weightV: { values: layer.weightV, columns },
    weightG: g(layer),
    teacherBottleneck: { values: teacherX, columns, batch },
    teacherWeightV: { values: teacherLayer.weightV, columns },
    teacherWeightG: g(teacherLayer),
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
