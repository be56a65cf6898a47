/**
 * Files of weights: safetensors, by themselves and as the parameters of a model.
 *
 * Importing it needs no permission; saving and loading need one, and a disk. `openModel` in the front door opens a
 * run as a whole.
 *
 * @example Any tensors
 * ```ts
 * import { float32Tensor, parseSafetensors, serializeSafetensors } from "@hatchling/hatchling/io";
 *
 * const bytes = serializeSafetensors(new Map([["w", float32Tensor(new Float32Array(6), [2, 3])]]));
 * console.log(parseSafetensors(bytes).tensors.get("w")!.shape); // [2, 3]
 * ```
 *
 * @module
 */
export { DamagedFileError } from "./errors.ts";
export { encodeNpy } from "./io/npy.ts";
export {
  type LoadedWeights,
  loadWeights,
  type ReadWeights,
  saveWeights,
  weightsFrom,
  type WeightStore,
  weightTensors,
} from "./io/parameters.ts";
export {
  type Dtype,
  float32Tensor,
  parseSafetensors,
  type RawData,
  type RawTensor,
  type SafetensorsFile,
  serializeSafetensors,
  toFloat32,
} from "./io/safetensors.ts";
