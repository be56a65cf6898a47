/**
 * Moving a case's tensors to the GPU and back.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../../lib/gpu.ts";
import type { Parameters } from "../../../lib/model.ts";
import { type Case, given, givenFloats } from "./case.ts";
import type { Results } from "./compare.ts";

/** A given tensor on the GPU. */
export function upload(gpu: Gpu, testCase: Case, name: string): Tensor {
  const { shape } = given(testCase.tensors, name);
  return gpu.tensor(givenFloats(testCase.tensors, name), shape);
}

/** Values of all tensors, with one wait. */
export async function download(
  gpu: Gpu,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<Map<string, Float32Array>> {
  const values = await gpu.read([...tensors.values()]);
  return new Map([...tensors.keys()].map((name, i) => [name, values[i]]));
}

/** Gradients of all trained parameters as `grad.<name>`; they stay the parameters' own. */
export function gradients(parameters: Parameters): Map<string, Tensor> {
  return new Map(parameters.all.flatMap(({ name, grad }) => grad ? [[`grad.${name}`, grad]] : []));
}

/** What a model made, with the gradients of its parameters; frees both. */
export async function resultsOf(
  gpu: Gpu,
  made: ReadonlyMap<string, Tensor>,
  parameters: Parameters,
): Promise<Results> {
  try {
    return { tensors: await download(gpu, new Map([...made, ...gradients(parameters)])) };
  } finally {
    for (const tensor of made.values()) tensor.destroy();
    parameters.destroy();
  }
}
