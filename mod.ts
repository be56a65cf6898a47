/**
 * Hatchling: self-supervised vision (DINO) on any GPU, with Deno's WebGPU and hand-written WGSL.
 *
 * Importing this module touches no GPU and needs no permission but the import itself. Reading folders and
 * files is not part of it: those modules need permissions and lie in `lib/data` and `lib/io`.
 *
 * @example The loss and its gradient, by itself
 * ```ts
 * import { dinoLoss } from "./mod.ts";
 *
 * const student = new Float32Array(3 * 2 * 4); // logits of 3 views of 2 images, 4 outputs
 * const teacher = new Float32Array(2 * 2 * 4); // of the 2 global ones
 * const { loss, gradStudent } = await dinoLoss({ student, teacher, outDim: 4, nCrops: 3 });
 * console.log(loss, gradStudent.length); // ln 4, 24
 * ```
 *
 * @module
 */
export * from "./lib/augmentation.ts";
export * from "./lib/config.ts";
export {
  DamagedPictureError,
  type Dataset,
  type Labels,
  type Progress,
  type SkippedFile,
} from "./lib/data/dataset.ts";
export {
  functionDataset,
  type FunctionDatasetOptions,
  type InterleavedPicture,
} from "./lib/data/function_dataset.ts";
export type { Picture } from "./lib/data/image.ts";
export { type Batch, Loader, type LoaderOptions } from "./lib/data/loader.ts";
export type { DatasetModule, ModuleOptions } from "./lib/data/module_dataset.ts";
export * from "./lib/diagnosis.ts";
export { emaUpdate } from "./lib/ema.ts";
export { DamagedFileError, DeviceError, HatchlingError } from "./lib/errors.ts";
export { attentionMask, lookAt, type Looked } from "./lib/eval/attention.ts";
export {
  type EncodedPictures,
  type EncodeOptions,
  encodePictures,
  type Encoder,
  pixelEncoder,
  vitEncoder,
} from "./lib/eval/encode.ts";
export {
  type Agreement,
  agreement,
  type Clusters,
  kMeans,
  type KMeansOptions,
} from "./lib/eval/clusters.ts";
export {
  evaluate,
  type EvaluateOptions,
  type Figure,
  figureTable,
  type Measured,
  measureFeatures,
  type MeasureOptions,
} from "./lib/eval/evaluate.ts";
export {
  linearProbe,
  type LinearProbeOptions,
  type LinearProbeResult,
} from "./lib/eval/linear_probe.ts";
export { type ProbeResult, ridgeProbe, type RidgeResult } from "./lib/eval/ridge.ts";
export { encodeSides, type Side, type Sides, type SidesOptions } from "./lib/eval/sides.ts";
export { alignment, uniformity } from "./lib/eval/sphere.ts";
export type { LabeledFeatures } from "./lib/eval/standardize.ts";
export {
  type FeatureArray,
  type Features,
  l2Normalize as normalizeFeatures,
} from "./lib/eval/features.ts";
export {
  knnClassify,
  type KnnClassifyOptions,
  type KnnOptions,
  type KnnResult,
} from "./lib/eval/knn.ts";
export { nearest, type NearestOptions, type Neighbors } from "./lib/eval/nearest.ts";
export { patchEncoder } from "./lib/eval/patches.ts";
export { pca, type PrincipalComponents } from "./lib/eval/pca.ts";
export {
  type Prototype,
  type PrototypeOptions,
  type PrototypeUsage,
  prototypeUsage,
} from "./lib/eval/prototypes.ts";
export { featureStd, rankMe, type RankOptions } from "./lib/eval/rank.ts";
export { type Recall, retrieval, viewRetrieval } from "./lib/eval/retrieval.ts";
export * from "./lib/gpu.ts";
export {
  type Dtype,
  float32Tensor,
  parseSafetensors,
  type RawData,
  type RawTensor,
  type SafetensorsFile,
  serializeSafetensors,
  toFloat32,
} from "./lib/io/safetensors.ts";
export * from "./lib/loss.ts";
export * from "./lib/model.ts";
export {
  firstNonFinite,
  type NonFinite,
  type StepAddress,
  type StepInputs,
} from "./lib/non_finite.ts";
export * from "./lib/ops.ts";
export * from "./lib/optim.ts";
export { philox, Rng } from "./lib/rng.ts";
export * from "./lib/train.ts";
