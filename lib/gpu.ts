/**
 * The GPU core: device, tensors, kernels, recorded programs.
 *
 * @module
 */
export { type Dispatch, type DispatchOptions, grid } from "./gpu/dispatch.ts";
export { Gpu, gpuOf, type Recorder, tensorsIn } from "./gpu/gpu.ts";
export {
  type Constants,
  defineKernel,
  KernelCache,
  type KernelSource,
  type Pipeline,
  type SharedCode,
} from "./gpu/kernel.ts";
export { Memory } from "./gpu/memory.ts";
export { openGpu, type OpenGpuOptions } from "./gpu/open.ts";
export { type Lifetime, type Plan, planMemory } from "./gpu/plan.ts";
export { type KernelCost, Program, record } from "./gpu/program.ts";
export { type Scalar, StepScalars, tableOf } from "./gpu/scalars.ts";
export { sizeOf, type Storage, Tensor, type TensorData, type TensorOwner } from "./gpu/tensor.ts";
export {
  autotune,
  type Tuning,
  type TuningOptions,
  type TuningStorage,
  type TuningTask,
  type Work,
} from "./gpu/autotune.ts";
