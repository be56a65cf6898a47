/**
 * Vision transformer and projection head. A model is a description without state; its weights are
 * {@linkcode Parameters}, with the names of timm and facebookresearch/dino.
 *
 * @example Features of pictures
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { initialize, Parameters, VisionTransformer } from "@hatchling/hatchling/model";
 *
 * const gpu = await openGpu();
 * const vit = new VisionTransformer({ imageSize: 32, patchSize: 8, dim: 64, depth: 2, heads: 2 });
 * const params = new Parameters(gpu, vit.specs());
 * params.load(initialize(vit.specs(), 0)); // or loadWeights("teacher.safetensors", params)
 * const images = gpu.tensor(new Float32Array(4 * 3 * 32 * 32), [4, 3, 32, 32]);
 * const { y } = gpu.scope(() => ({ y: vit.forward(gpu, params, [images]).y }));
 * console.log(y.shape, (await y.read()).length); // [4, 64], 256
 * gpu.destroy();
 * ```
 *
 * @module
 */
export type { Backbone, FeatureNorm, LastTokens } from "./model/backbone.ts";
export { ContrastiveHead, type ContrastiveHeadConfig } from "./model/contrastive_head.ts";
export { DinoModel, type ModelReads } from "./model/dino.ts";
export { type Feature, featureDim, FEATURES } from "./model/feature.ts";
export {
  DinoHead,
  type DinoHeadConfig,
  type HeadForwardOptions,
  type LastLayer,
} from "./model/head.ts";
export { initialize } from "./model/init.ts";
export { type Init, type Parameter, Parameters, type ParameterSpec } from "./model/parameters.ts";
export { ResNet } from "./model/resnet.ts";
export { type ResNetConfig, type ResNetLayers, RESNETS } from "./model/resnet_shape.ts";
export { RunningStats } from "./model/running_stats.ts";
export { transformerOf, VisionTransformer, VIT_PRESETS } from "./model/vit.ts";
export type { CropTokens, ViTForwardOptions, ViTResult, ViTTokens } from "./model/vit_pass.ts";
export type { ViTConfig } from "./model/vit_specs.ts";
export { Projector, type ProjectorConfig } from "./model/projector.ts";
