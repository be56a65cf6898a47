/**
 * Dispatches as they would go to the GPU, caught on one that computes nothing.
 *
 * @module
 */
import { DryGpu } from "../gpu/dry.ts";
import type { DispatchOptions } from "../gpu/dispatch.ts";
import type { Gpu, KernelSource, Tensor } from "../gpu.ts";

/** A dispatch with the sizes of its tensors: what has to be proven. */
export interface Capture {
  /** The kernel. */
  readonly source: KernelSource;
  /** Values of its overrides. */
  readonly constants: Readonly<Record<string, number>>;
  /** Its numbers. */
  readonly params: Readonly<Record<string, number>>;
  /** Shapes of its tensors by binding; undefined where a variant uses none. */
  readonly shapes: Readonly<Record<string, readonly number[] | undefined>>;
  /** Bindings whose tensors hold halves. */
  readonly halves: readonly string[];
  /** Workgroups per dimension. */
  readonly workgroups: readonly [number, number?, number?];
}

/** Numbers that differ between dispatches without asking anything else of a kernel. */
const ADDRESSES =
  /^(temp_index|step_index|momentum_index|micro_batch_index|factor_index|stream|seed_low|seed_high)$/;

/** A stand-in for a GPU that keeps each different dispatch. */
export class CaptureGpu extends DryGpu {
  /** Dispatches by what tells them apart. */
  readonly captures: Map<string, Capture> = new Map();

  /** A stand-in for a GPU with choices of its own. */
  constructor(gpu: Gpu, choices: ReadonlyMap<string, string> = gpu.choices) {
    super(gpu);
    this.choices = choices;
    const { isSoftware } = gpu;
    Object.defineProperty(this, "isSoftware", { value: isSoftware });
  }

  /** Notes a dispatch. */
  override dispatch(source: KernelSource, options: DispatchOptions): void {
    super.dispatch(source, options);
    const capture = captureOf(source, options);
    const key = keyOf(capture);
    if (!this.captures.has(key)) this.captures.set(key, capture);
  }
}

function captureOf(source: KernelSource, options: DispatchOptions): Capture {
  const { constants = {}, params = {}, bindings, workgroups } = options;
  const shapes = Object.entries(bindings).map(([name, tensor]) => [name, tensor?.shape]);
  return {
    source,
    constants: Object.fromEntries(Object.entries(constants).map(([k, v]) => [k, +v])),
    params: { ...params },
    shapes: Object.fromEntries(shapes),
    halves: source.bindings.map(({ name }) => name)
      .filter((name) => bindings[name]?.dtype === "f16"),
    workgroups,
  };
}

/** What tells dispatches apart. */
export function keyOf({ source, constants, params, shapes, halves }: Capture): string {
  const asked = Object.entries(params).filter(([name]) => !ADDRESSES.test(name));
  const sizes = Object.entries(shapes).map(([name, shape]) => [name, sizeOf(shape)]);
  return JSON.stringify([source.name, sorted(constants), asked, sizes, halves]);
}

/** Kernel and constants alone. */
export function pipelineOf(
  { source, constants, halves }: Pick<Capture, "source" | "constants" | "halves">,
): string {
  return JSON.stringify([source.name, sorted(constants), halves]);
}

function sorted(constants: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(constants).sort(([a], [b]) => a < b ? -1 : 1);
}

function sizeOf(shape: readonly number[] | undefined): number {
  return shape?.reduce((a, b) => a * b, 1) ?? 0;
}

/** Elements of a tensor of a capture. */
export function elements({ shapes }: Capture, name: string): number {
  return sizeOf(shapes[name]);
}

/** For the types of tensors that a capture was made of. */
export type { Tensor };
