/**
 * Hatchling: self-supervised vision (DINO) on any GPU, with Deno's WebGPU and hand-written WGSL.
 *
 * This is the short way in: what a script needs to train, to embed and to look. Everything else lies in modules of
 * their own: `@hatchling/hatchling/ops`, `/model`, `/loss`, `/optim`, `/gpu`, `/augmentation`, `/data`, `/train`,
 * `/from_config`, `/config`, `/eval`, `/embed`, `/load`, `/io`, `/diagnosis`, `/adapter`. Imported by URL, that is
 * `…/mod.ts` and `…/lib/ops.ts` and so on.
 *
 * Importing touches no GPU and needs no permission but the import itself. What reads or writes files needs its
 * permission when it is called.
 *
 * @example The loss and its gradient, by itself
 * ```ts
 * import { dinoLoss } from "@hatchling/hatchling";
 *
 * const student = new Float32Array(3 * 2 * 4); // logits of 3 views of 2 images, 4 outputs
 * const teacher = new Float32Array(2 * 2 * 4); // of the 2 global ones
 * const { loss, gradStudent } = await dinoLoss({ student, teacher, outDim: 4, nCrops: 3 });
 * console.log(loss, gradStudent.length); // ln 4, 24
 * ```
 *
 * @example Features of a folder of pictures
 * ```ts ignore
 * import { openDataset, openGpu, openModel } from "@hatchling/hatchling";
 *
 * const gpu = await openGpu();
 * const model = await openModel("runs/a"), photos = await openDataset({ path: "photos" });
 * const { whole } = await model.encode(gpu, photos);
 * console.log(whole.shape); // [pictures, D]
 * photos.close?.(); // its workers would keep the script alive
 * ```
 *
 * `docs/examples/own_loop.ts` trains on your own pictures in 25 lines.
 *
 * @module
 */
export { ensureAdapter } from "./lib/adapter.ts";
export { type AugmentationOptions, MultiCrop } from "./lib/augmentation.ts";
export { type Config, parseConfig, parseOverrides } from "./lib/config.ts";
export {
  type Batch,
  type Dataset,
  functionDataset,
  type FunctionDatasetOptions,
  type Labels,
  Loader,
  type LoaderOptions,
  openDataset,
  type OpenOptions,
  type Picture,
} from "./lib/data.ts";
export { diagnose, type Diagnosis } from "./lib/diagnosis.ts";
export { OpenedModel, openModel, type OpenModelOptions } from "./lib/embed.ts";
export { DamagedFileError, DeviceError, HatchlingError } from "./lib/errors.ts";
export {
  attentionMask,
  type EncodedPictures,
  type Encoder,
  evaluate,
  type EvaluateOptions,
  featureEncoder,
  type Features,
  type Figure,
  figureTable,
  knnClassify,
  linearProbe,
  lookAt,
  type Looked,
  nearest,
  type Neighbors,
  pca,
  rankMe,
} from "./lib/eval.ts";
export {
  augmentationOf,
  datasetOptionsOf,
  feedOptionsOf,
  loaderOf,
  modelOf,
  scheduleOf,
  trainerOptionsOf,
} from "./lib/from_config.ts";
export {
  Gpu,
  openGpu,
  type OpenGpuOptions,
  Program,
  record,
  StepScalars,
  Tensor,
} from "./lib/gpu.ts";
export {
  type LoadedWeights,
  loadWeights,
  parseSafetensors,
  saveWeights,
  serializeSafetensors,
} from "./lib/io.ts";
export {
  DinoLoss,
  dinoLoss,
  type DinoLossArrays,
  type DinoLossInput,
  type DinoLossOptions,
  type DinoLossResult,
} from "./lib/loss.ts";
export {
  type DinoHeadConfig,
  DinoModel,
  initialize,
  Parameters,
  VisionTransformer,
  VIT_PRESETS,
  type ViTConfig,
} from "./lib/model.ts";
export { emaUpdate } from "./lib/optim.ts";
export {
  Feed,
  recordStep,
  type StepOutputs,
  type StepValues,
  Trainer,
  type TrainerOptions,
} from "./lib/train.ts";
