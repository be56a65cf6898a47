/**
 * Cases head_*: the projection head, forward and backward.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../../lib/gpu.ts";
import { DinoHead, Parameters } from "../../../lib/model.ts";
import { type Case, group } from "./case.ts";
import type { Results } from "./compare.ts";
import { headConfig } from "./config.ts";
import { resultsOf, upload } from "./tensors.ts";

/** Output, intermediate values and all gradients of Σ y · grad_y. */
export async function runHead(gpu: Gpu, testCase: Case): Promise<Results> {
  const head = new DinoHead(headConfig(testCase.doc.config.head as Record<string, unknown>));
  const parameters = new Parameters(gpu, head.specs(), { grad: true });
  parameters.load(group(testCase.tensors, "in.param."));
  const made = gpu.scope(() => {
    const trace = new Map<string, Tensor>();
    const { y, backward } = head.forward(gpu, parameters, upload(gpu, testCase, "x"), { trace });
    const gradX = backward(upload(gpu, testCase, "grad_y"));
    return new Map([["y", y], ["grad_x", gradX], ...trace]);
  });
  return await resultsOf(gpu, made, parameters);
}
