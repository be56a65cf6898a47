/**
 * Vision transformer, projection head and their parameters.
 *
 * @module
 */
export { block, type BlockKeep, type BlockOptions, type BlockResult } from "./model/block.ts";
export { DinoModel } from "./model/dino.ts";
export {
  DinoHead,
  type DinoHeadConfig,
  type HeadForwardOptions,
  type LastLayer,
} from "./model/head.ts";
export { initialize } from "./model/init.ts";
export {
  type Init,
  Layout,
  type Parameter,
  Parameters,
  type ParameterSpec,
  type Slot,
} from "./model/parameters.ts";
export type { Span } from "./model/spans.ts";
export {
  VisionTransformer,
  VIT_PRESETS,
  type ViTConfig,
  type ViTForwardOptions,
  type ViTResult,
} from "./model/vit.ts";
