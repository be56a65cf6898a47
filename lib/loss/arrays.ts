/**
 * Plain arrays to the GPU and back.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu/mod.ts";

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
