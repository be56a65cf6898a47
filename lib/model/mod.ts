/**
 * Vision transformer, projection head and their parameters.
 *
 * @module
 */
export { block, type BlockKeep, type BlockOptions, type BlockResult } from "./block.ts";
export { DinoModel } from "./dino.ts";
export { DinoHead, type DinoHeadConfig, type HeadForwardOptions, type LastLayer } from "./head.ts";
export { initialize } from "./init.ts";
export {
  type Init,
  Layout,
  type Parameter,
  Parameters,
  type ParameterSpec,
  type Slot,
} from "./parameters.ts";
export type { Span } from "./spans.ts";
export {
  VisionTransformer,
  VIT_PRESETS,
  type ViTConfig,
  type ViTForwardOptions,
  type ViTResult,
} from "./vit.ts";
