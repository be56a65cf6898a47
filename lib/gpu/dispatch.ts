/**
 * What one dispatch is, and the checks made before any of them reaches the driver.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Constants, KernelSource, Pipeline } from "./kernel.ts";
import { roundUp, type Tensor } from "./tensor.ts";

/** What an op asks of a kernel. */
export interface DispatchOptions {
  /** Values of the kernel's overrides. */
  constants?: Constants;
  /** Tensors for bindings 1…n, in order. */
  tensors: readonly Tensor[];
  /** The u32 members of the kernel's `Params`, in order. */
  u32?: readonly number[];
  /** The f32 members, which follow. */
  f32?: readonly number[];
  /** Workgroups per dimension. */
  workgroups: readonly [number, number?, number?];
  /** Floating-point operations, for plans and profiles. */
  flops?: number;
}

/** A dispatch with its pipeline. */
export interface Dispatch {
  /** The compiled kernel. */
  readonly pipeline: Pipeline;
  /** Tensors for bindings 1…n. */
  readonly tensors: readonly Tensor[];
  /** Bytes of the uniform struct. */
  readonly params: Uint8Array<ArrayBuffer>;
  /** Workgroups per dimension. */
  readonly workgroups: readonly [number, number, number];
  /** Floating-point operations. */
  readonly flops: number;
}

/** Packs `Params`: all u32 members, then all f32 members, padded to 16 bytes. */
export function packParams(
  u32: readonly number[] = [],
  f32: readonly number[] = [],
): Uint8Array<ArrayBuffer> {
  const bytes = new ArrayBuffer(Math.max(16, roundUp(4 * (u32.length + f32.length), 16)));
  new Uint32Array(bytes).set(u32);
  new Float32Array(bytes).set(f32, u32.length);
  return new Uint8Array(bytes);
}

/**
 * Workgroups for `n` invocations in a row, folded into two dimensions where one would exceed the limit.
 * Kernels compute `(workgroup_id.y · num_workgroups.x + workgroup_id.x) · size + local_invocation_index`.
 */
export function grid(n: number, workgroupSize: number): [number, number, number] {
  const groups = Math.max(1, Math.ceil(n / workgroupSize));
  const y = Math.ceil(groups / 65535);
  return [Math.ceil(groups / y), y, 1];
}

/** Refuses what the adapter cannot do, naming the kernel and the tensor. */
export function checkDispatch(
  source: KernelSource,
  options: DispatchOptions,
  limits: GPUSupportedLimits,
): void {
  const { tensors, workgroups } = options;
  if (tensors.length > limits.maxStorageBuffersPerShaderStage) {
    throw new HatchlingError(
      `Kernel ${source.name} binds ${tensors.length} storage buffers but this adapter allows ${limits.maxStorageBuffersPerShaderStage}`,
    );
  }
  for (const t of tensors) {
    if (t.bytes > limits.maxStorageBufferBindingSize) {
      throw new HatchlingError(
        `Kernel ${source.name}: tensor ${t} has ${t.bytes} bytes, more than the ${limits.maxStorageBufferBindingSize} ` +
          "that this adapter binds at once: use a smaller batch, image or output dimension",
      );
    }
  }
  for (const n of workgroups) {
    if (n !== undefined && (n < 1 || n > limits.maxComputeWorkgroupsPerDimension)) {
      throw new HatchlingError(
        `Kernel ${source.name}: expected 1 to ${limits.maxComputeWorkgroupsPerDimension} workgroups per dimension but found [${workgroups}]`,
      );
    }
  }
}
