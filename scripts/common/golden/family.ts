/**
 * Cases family_*: vision transformers as they are published, forward and backward.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../../lib/gpu.ts";
import { Parameters, VisionTransformer, type ViTForwardOptions } from "../../../lib/model.ts";
import { readFeatures } from "../../../lib/model/reads.ts";
import { columnSum } from "../../../lib/ops.ts";
import { type Case, given, givenLabels, group } from "./case.ts";
import type { Results } from "./compare.ts";
import { need, vitConfig } from "./config.ts";
import { resultsOf, upload } from "./tensors.ts";
import { keepFactors } from "./vit.ts";

/** Output, intermediate values and all gradients of Σ y · grad_y, y what the case reads. */
export async function runFamily(gpu: Gpu, testCase: Case): Promise<Results> {
  const { doc: { config }, tensors } = testCase;
  const word = need<"class" | "mean" | "tokens">(config, "read");
  const dropPathRate = (config.drop_path_rate ?? 0) as number;
  const vit = new VisionTransformer({
    ...vitConfig(need(config, "vit")),
    dropPathRate,
    maskToken: "mask_share" in config,
  });
  const parameters = new Parameters(gpu, vit.specs(), { grad: true });
  parameters.load(group(tensors, "in.param."));
  const made = gpu.scope(() => {
    const trace = new Map<string, Tensor>();
    const dy = upload(gpu, testCase, "grad_y");
    const mask = "mask_share" in config
      ? gpu.tensor(Uint32Array.from(givenLabels(tensors, "mask")), given(tensors, "mask").shape)
      : undefined;
    const options = {
      trace,
      mask,
      keep: dropPathRate ? [keepFactors(gpu, testCase, vit.dropPathRates())] : undefined,
      inputGrad: true,
    };
    const crops = [upload(gpu, testCase, "x")];
    const run = word === "tokens"
      ? tokensOf(gpu, vit, parameters, crops, options)
      : featuresOf(gpu, vit, parameters, crops, options, word);
    return new Map([["y", run.y], ["grad_x", run.backward(dy)], ...trace]);
  });
  return await resultsOf(gpu, made, parameters);
}

/** One feature, as a head reads it. */
function featuresOf(
  gpu: Gpu,
  vit: VisionTransformer,
  parameters: Parameters,
  crops: Tensor[],
  options: ViTForwardOptions,
  word: "class" | "mean",
) {
  const reads = readFeatures(gpu, vit, parameters, crops, { ...options, features: [word] });
  return {
    y: reads.feature(word),
    backward(dy: Tensor) {
      reads.give(word, dy);
      return reads.backward()[0];
    },
  };
}

/** All tokens, as losses of patches read them. */
function tokensOf(
  gpu: Gpu,
  vit: VisionTransformer,
  parameters: Parameters,
  crops: Tensor[],
  options: ViTForwardOptions,
) {
  const { crops: [{ tokens, gradient }], backward } = vit.tokens(gpu, parameters, crops, options);
  return {
    y: tokens,
    backward(dy: Tensor) {
      columnSum(gpu, dy.view([1, dy.size]), { out: gradient });
      return backward()[0];
    },
  };
}
