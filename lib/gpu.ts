/**
 * The GPU core: device, tensors, kernels of your own, recorded programs.
 *
 * A tensor is a shape over GPU memory. Ops run at once, or go into a program while `record` listens; the
 * program then replays them without allocating. GPU memory is not collected as garbage: who allocates, frees.
 *
 * @example A kernel of your own, run at once and recorded
 * ```ts
 * import { defineKernel, grid, openGpu, record } from "@hatchling/hatchling/gpu";
 *
 * const DOUBLE = defineKernel(
 *   "double",
 *   `
 * struct Params { n: u32 }
 * @group(0) @binding(0) var<uniform> params: Params;
 * @group(0) @binding(1) var<storage, read> x: array<f32>;
 * @group(0) @binding(2) var<storage, read_write> y: array<f32>;
 * @compute @workgroup_size(64)
 * fn main(@builtin(global_invocation_id) id: vec3u) {
 *   if (id.x < params.n) { y[id.x] = 2 * x[id.x]; }
 * }
 * `,
 * );
 * const gpu = await openGpu();
 * const x = gpu.tensor(Float32Array.of(1, 2, 3));
 * const double = () => {
 *   const y = gpu.empty(x.shape);
 *   gpu.dispatch(DOUBLE, { bindings: { x, y }, params: { n: x.size }, workgroups: grid(x.size, 64) });
 *   return y;
 * };
 * console.log(await double().read()); // 2, 4, 6
 * const program = await record(gpu, double);
 * x.write(Float32Array.of(4, 5, 6));
 * program.run();
 * console.log(await program.outputs.read()); // 8, 10, 12
 * gpu.destroy();
 * ```
 *
 * @module
 */
export { DeviceError } from "./errors.ts";
export { type DispatchOptions, grid } from "./gpu/dispatch.ts";
export { Gpu } from "./gpu/gpu.ts";
export {
  type Constants,
  defineKernel,
  type KernelSource,
  kernelText,
  type SharedCode,
} from "./gpu/kernel.ts";
export { Memory } from "./gpu/memory.ts";
export { openGpu, type OpenGpuOptions } from "./gpu/open.ts";
export type { KernelCost } from "./gpu/profile.ts";
export { Program, record, type Watch } from "./gpu/program.ts";
export { type Scalar, StepScalars } from "./gpu/scalars.ts";
export { type DType, sizeOf, Tensor, type TensorData } from "./gpu/tensor.ts";
export {
  autotune,
  type Tuning,
  type TuningOptions,
  type TuningStorage,
  type TuningTask,
  type Work,
} from "./gpu/autotune.ts";
export type { Binding, KernelInterface, Member, MemberType } from "./gpu/wgsl.ts";
