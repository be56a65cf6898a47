/**
 * Kernels: WGSL text plus override constants give a pipeline, compiled once per GPU.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/** A WGSL file with its name, as ops know it. */
export interface KernelSource {
  /** The file's name without extension, for messages and profiles. */
  readonly name: string;
  /** The WGSL text; its entry point is `main`. */
  readonly code: string;
  /** It calls subgroup functions: for devices with that feature only. */
  readonly subgroups?: boolean;
}

/** Values for a kernel's `override` declarations. */
export type Constants = Record<string, number | boolean>;

/** A compiled kernel. */
export interface Pipeline {
  /** The source's name. */
  readonly name: string;
  /** The compiled pipeline. */
  readonly pipeline: GPUComputePipeline;
  /** Layout of group 0. */
  readonly layout: GPUBindGroupLayout;
}

/** Names a WGSL text. */
export function defineKernel(
  name: string,
  code: string,
  options: Pick<KernelSource, "subgroups"> = {},
): KernelSource {
  return { name, code, ...options };
}

/** Compiles kernels once and remembers them. */
export class KernelCache {
  #device: GPUDevice;
  #subgroupDirective: boolean;
  #modules = new Map<string, GPUShaderModule>();
  #pipelines = new Map<string, Pipeline>();
  #problems: Promise<void>[] = [];

  /**
   * A cache for one device. The language asks for `enable subgroups` in kernels that use them; Deno's compiler
   * neither knows nor needs it.
   */
  constructor(device: GPUDevice, subgroupDirective = false) {
    this.#device = device;
    this.#subgroupDirective = subgroupDirective;
  }

  /** Compiled pipelines so far. */
  get size(): number {
    return this.#pipelines.size;
  }

  /** The pipeline of a source with given constants; compile errors are thrown by {@linkcode check}. */
  get(source: KernelSource, constants: Constants = {}): Pipeline {
    const key = `${source.name}|${
      Object.entries(constants).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}=${+v}`)
        .join(",")
    }`;
    let found = this.#pipelines.get(key);
    if (!found) {
      found = this.#compile(source, constants, key);
      this.#pipelines.set(key, found);
    }
    return found;
  }

  /** Waits for outstanding compilations. @throws {HatchlingError} With the kernel's name and offending lines. */
  async check(): Promise<void> {
    const problems = this.#problems;
    this.#problems = [];
    for (const problem of problems) await problem;
  }

  #compile(source: KernelSource, constants: Constants, key: string): Pipeline {
    const device = this.#device;
    device.pushErrorScope("validation");
    let module = this.#modules.get(source.name);
    if (!module) {
      const enable = source.subgroups && this.#subgroupDirective ? "enable subgroups; " : "";
      module = device.createShaderModule({ code: enable + source.code, label: source.name });
      this.#modules.set(source.name, module);
    }
    const values = Object.fromEntries(Object.entries(constants).map(([k, v]) => [k, +v]));
    const pipeline = device.createComputePipeline({
      label: source.name,
      layout: "auto",
      compute: { module, entryPoint: "main", constants: values },
    });
    const layout = pipeline.getBindGroupLayout(0);
    this.#problems.push(
      device.popErrorScope().then(async (error) => {
        if (!error) return;
        // The next use shall tell the reason again.
        this.#pipelines.delete(key);
        this.#modules.delete(source.name);
        throw new HatchlingError(await describe(source, module, error.message));
      }),
    );
    // The rejection is thrown at the next check(); without this it would also count as unhandled.
    this.#problems.at(-1)!.catch(() => {});
    return { name: source.name, pipeline, layout };
  }
}

async function describe(source: KernelSource, module: GPUShaderModule, message: string) {
  const lines = source.code.split("\n");
  const info = await module.getCompilationInfo?.().catch(() => undefined);
  const places = (info?.messages ?? []).filter((m) => m.lineNum > 0).map((m) =>
    `  ${source.name}.wgsl:${m.lineNum}:${m.linePos}: ${m.message.trim()}\n    ${
      lines[m.lineNum - 1]?.trim() ?? ""
    }`
  );
  return `Kernel ${source.name}.wgsl does not compile on this adapter:\n${
    places.length ? places.join("\n") : "  " + message.trim().replaceAll("\n", "\n  ")
  }`;
}
