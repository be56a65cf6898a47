/**
 * The GPU core: device, tensors, kernels, recorded programs.
 *
 * @module
 */
export { type Dispatch, type DispatchOptions, grid } from "./dispatch.ts";
export { Gpu, gpuOf, type Recorder, tensorsIn } from "./gpu.ts";
export {
  type Constants,
  defineKernel,
  KernelCache,
  type KernelSource,
  type Pipeline,
  type SharedCode,
} from "./kernel.ts";
export { Memory } from "./memory.ts";
export { openGpu, type OpenGpuOptions } from "./open.ts";
export { type Lifetime, type Plan, planMemory } from "./plan.ts";
export { type KernelCost, Program, record } from "./program.ts";
export { type Scalar, StepScalars, tableOf } from "./scalars.ts";
export { sizeOf, type Storage, Tensor, type TensorData, type TensorOwner } from "./tensor.ts";
export {
  type Contest,
  tune,
  type Tuned,
  type TuneOptions,
  type TuneStorage,
  type Work,
} from "./tune.ts";
