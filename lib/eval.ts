/**
 * What features are worth, and what a model looks at: encoders, nearest neighbours, k-NN, probes, retrieval,
 * clusters, and figures that need no labels.
 *
 * @example k-NN on features of your own
 * ```ts
 * import { knnClassify, normalizeFeatures } from "@hatchling/hatchling/eval";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * const features = { data: normalizeFeatures(Float32Array.of(1, 0, 2, 1, 0, 1, 1, 3), 2), shape: [4, 2] };
 * const classes = [0, 0, 1, 1], options = { k: 1, leaveOneOut: true };
 * const { top1 } = await knnClassify(gpu, features, classes, features, classes, options);
 * console.log(top1); // 100
 * gpu.destroy();
 * ```
 *
 * @module
 */
export { attentionMask, lookAt, type Looked, type LookOptions } from "./eval/attention.ts";
export type { BatchOptions } from "./eval/batch.ts";
export { type BestReadout, bestReadout } from "./eval/best_readout.ts";
export {
  type Agreement,
  agreement,
  type Clusters,
  kMeans,
  type KMeansOptions,
} from "./eval/clusters.ts";
export { type EncodedPictures, type EncodeOptions, encodePictures } from "./eval/encode.ts";
export { type Encoder, pixelEncoder, type SharedPass } from "./eval/encoder.ts";
export { evaluate, type EvaluateOptions } from "./eval/evaluate.ts";
export { featureEncoder, featureEncoders } from "./eval/feature_encoder.ts";
export {
  type FeatureArray,
  type Features,
  l2Normalize as normalizeFeatures,
} from "./eval/features.ts";
export { type Figure, figureTable } from "./eval/figures.ts";
export {
  knnClassify,
  type KnnClassifyOptions,
  type KnnOptions,
  type KnnResult,
} from "./eval/knn.ts";
export {
  linearProbe,
  type LinearProbeOptions,
  type LinearProbeResult,
} from "./eval/linear_probe.ts";
export { type Measured, measureFeatures } from "./eval/measure.ts";
export type { MeasureOptions } from "./eval/measure_options.ts";
export { nearest, type NearestOptions } from "./eval/nearest.ts";
export { pca, type PrincipalComponents } from "./eval/pca.ts";
export {
  type Prototype,
  type PrototypeOptions,
  type PrototypeUsage,
  prototypeUsage,
} from "./eval/prototypes.ts";
export { featureStd, rankMe, type RankOptions } from "./eval/rank.ts";
export type { Readout } from "./eval/readout.ts";
export { type Recall, retrieval, viewRetrieval } from "./eval/retrieval.ts";
export { type ProbeResult, ridgeProbe, type RidgeResult } from "./eval/ridge.ts";
export { encodeSides, type Side, type Sides, type SidesOptions } from "./eval/sides.ts";
export { alignment, uniformity } from "./eval/sphere.ts";
export type { LabeledFeatures } from "./eval/standardize.ts";
export type { Neighbors } from "./eval/topk.ts";
export { fitWhitening, Whitener, type Whitening, type WhitenOptions } from "./eval/whiten.ts";
export {
  type MeasuredWhitened,
  measureWhitened,
  type WhitenedSides,
  whitenSides,
} from "./eval/whiten_sides.ts";
