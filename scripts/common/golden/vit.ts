/**
 * Cases vit_*: the backbone, forward and backward, with stochastic depth where the case has it.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../../lib/gpu.ts";
import { Parameters, VisionTransformer } from "../../../lib/model.ts";
import type { BlockKeep } from "../../../lib/model/block.ts";
import { type Case, givenFloats, group } from "./case.ts";
import type { Results } from "./compare.ts";
import { vitConfig } from "./config.ts";
import { resultsOf, upload } from "./tensors.ts";

/** The given 0 or 1 per sample of every branch, divided by its probability of being kept. */
export function keepFactors(gpu: Gpu, { tensors }: Case, rates: number[]): BlockKeep[] {
  return rates.map((rate, i) => {
    const factors = (branch: string) => {
      const values = givenFloats(tensors, `keep.${i}.${branch}`);
      return gpu.tensor(values.map((keep) => keep / (1 - rate)));
    };
    return { attn: factors("attn"), mlp: factors("mlp") };
  });
}

/** Output, intermediate values and all gradients of Σ y · grad_y. */
export async function runVit(gpu: Gpu, testCase: Case): Promise<Results> {
  const { vit: shape, drop_path_rate: dropPathRate = 0 } = testCase.doc.config;
  const vit = new VisionTransformer({
    ...vitConfig(shape as Record<string, unknown>),
    dropPathRate: dropPathRate as number,
  });
  const parameters = new Parameters(gpu, vit.specs(), { grad: true });
  parameters.load(group(testCase.tensors, "in.param."));
  const made = gpu.scope(() => {
    const trace = new Map<string, Tensor>();
    const { y, backward } = vit.forward(gpu, parameters, [upload(gpu, testCase, "x")], {
      trace,
      keep: dropPathRate ? [keepFactors(gpu, testCase, vit.dropPathRates())] : undefined,
      inputGrad: true,
    });
    const [gradX] = backward(upload(gpu, testCase, "grad_y"));
    return new Map([["y", y], ["grad_x", gradX], ...trace]);
  });
  return await resultsOf(gpu, made, parameters);
}
