/**
 * What one dispatch is, and the checks made before any of them reaches the driver.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Constants, KernelSource, Pipeline } from "./kernel.ts";
import { roundUp, type Tensor } from "./tensor.ts";
import type { MemberType } from "./wgsl.ts";

/** What an op asks of a kernel, by the names that stand in its WGSL. */
export interface DispatchOptions {
  /** Values of its overrides; the others keep their defaults. */
  constants?: Constants;
  /** A tensor for every binding; undefined for one that this variant does not use. */
  bindings: Readonly<Record<string, Tensor | undefined>>;
  /** A number for every member of `Params`. */
  params?: Readonly<Record<string, number>>;
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

/** Packs the members of `Params` by name, padded to 16 bytes. */
export function packParams(
  { name: kernel, params }: Pick<KernelSource, "name" | "params">,
  values: Readonly<Record<string, number>> = {},
): Uint8Array<ArrayBuffer> {
  const bytes = new ArrayBuffer(Math.max(16, roundUp(4 * params.length, 16)));
  const data = new DataView(bytes);
  params.forEach(({ name, type }, i) => {
    const value = values[name];
    const [least, most] = RANGE[type];
    if (
      typeof value !== "number" || (type !== "f32" && !Number.isInteger(value)) ||
      !(value >= least && value <= most)
    ) {
      throw new HatchlingError(
        `Kernel ${kernel}: expected ${type} for params.${name} but found ${value}`,
      );
    }
    if (type === "u32") data.setUint32(4 * i, value, true);
    else if (type === "i32") data.setInt32(4 * i, value, true);
    else data.setFloat32(4 * i, value, true);
  });
  checkNames(kernel, "Params", values, params);
  return new Uint8Array(bytes);
}

/** Least and most of each type. */
const RANGE: Readonly<Record<MemberType, readonly [number, number]>> = {
  u32: [0, 2 ** 32 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  f32: [-Infinity, Infinity],
};

/** The tensors in the order of a kernel's bindings; `unused` stands in for those that a variant does not use. */
export function tensorsOf(
  { name: kernel, bindings }: Pick<KernelSource, "name" | "bindings">,
  given: Readonly<Record<string, Tensor | undefined>>,
  unused: (index: number) => Tensor,
): Tensor[] {
  checkNames(kernel, "its bindings", given, bindings);
  let written = 0;
  return bindings.map(({ name, writable }) => {
    if (!(name in given)) {
      throw new HatchlingError(`Kernel ${kernel}: expected a tensor for ${name} but none is given`);
    }
    // What is written must lie in a buffer of its own; what is only read may share one.
    return given[name] ?? unused(writable ? ++written : 0);
  });
}

/** Refuses names that the WGSL does not declare. */
function checkNames(
  kernel: string,
  where: string,
  given: Readonly<Record<string, unknown>>,
  declared: readonly { name: string }[],
): void {
  const names = Object.keys(given);
  if (
    names.length <= declared.length && names.every((name) => declared.some((d) => d.name === name))
  ) return;
  const unknown = names.filter((name) => !declared.some((d) => d.name === name));
  throw new HatchlingError(
    `Kernel ${kernel}: expected ${where} (${
      declared.map(({ name }) => name).join(", ")
    }) but found ${unknown.join(", ")}`,
  );
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
  tensors: readonly Tensor[],
  { bindings, constants = {}, workgroups }: DispatchOptions,
  limits: GPUSupportedLimits,
): void {
  const unknown = Object.keys(constants).find((name) => !source.overrides.has(name));
  if (unknown !== undefined) {
    throw new HatchlingError(
      `Kernel ${source.name}: expected overrides (${
        [...source.overrides].join(", ")
      }) but found ${unknown}`,
    );
  }
  if (tensors.length > limits.maxStorageBuffersPerShaderStage) {
    throw new HatchlingError(
      `Kernel ${source.name} binds ${tensors.length} storage buffers but this adapter allows ${limits.maxStorageBuffersPerShaderStage}`,
    );
  }
  for (const { name, halves } of source.bindings) {
    const t = bindings[name];
    if (t && t.dtype !== "f32" && !halves) {
      throw new HatchlingError(
        `Kernel ${source.name}: expected f32 for ${name} but found ${t}: this kernel takes no halves there`,
      );
    }
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
    if (
      n !== undefined &&
      !(Number.isInteger(n) && n >= 1 && n <= limits.maxComputeWorkgroupsPerDimension)
    ) {
      throw new HatchlingError(
        `Kernel ${source.name}: expected 1 to ${limits.maxComputeWorkgroupsPerDimension} workgroups per dimension but found [${workgroups}]`,
      );
    }
  }
}
