/**
 * Kernels: WGSL text plus override constants give a pipeline, compiled once per GPU.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { interfaceOf, type KernelInterface } from "./wgsl.ts";

/** WGSL that several kernels share, from kernels/shared/. */
export interface SharedCode {
  /** The file's name without extension. */
  readonly name: string;
  /** The WGSL text, which may use what its header says the kernel has. */
  readonly code: string;
}

/** A kernel as ops know it. */
export interface KernelSource extends KernelInterface {
  /** The file's name without extension, for messages and profiles. */
  readonly name: string;
  /** The WGSL text, shared parts included; its entry point is `main`. {@linkcode kernelText} makes it whole. */
  readonly code: string;
  /** The files that the text is made of, in order. */
  readonly files: readonly SharedCode[];
  /** It calls subgroup functions: for devices with that feature only. */
  readonly subgroups: boolean;
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
  /** What it was made of. */
  readonly source: KernelSource;
  /** Values of its overrides. */
  readonly constants: Constants;
  /** Bindings that hold halves. */
  readonly halves: readonly string[];
  /** Of a part of a divided dispatch: the pipeline of all of it. */
  readonly whole?: Pipeline;
}

/**
 * Names a WGSL text and reads from it what the kernel takes.
 *
 * @param shared What it needs of kernels/shared/.
 * @throws {HatchlingError} When the text does not declare its arguments as all kernels do.
 *
 * @example
 * ```ts
 * import { defineKernel } from "@hatchling/hatchling/gpu";
 *
 * const double = defineKernel("double", `
 *   struct Params { n: u32, factor: f32 }
 *   @group(0) @binding(0) var<uniform> params: Params;
 *   @group(0) @binding(1) var<storage, read_write> x: array<f32>;
 *   @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
 *     if (id.x < params.n) { x[id.x] *= params.factor; }
 *   }`);
 * console.assert(double.bindings[0].name === "x");
 * ```
 */
export function defineKernel(
  name: string,
  code: string,
  { shared = [], subgroups = false }: { shared?: readonly SharedCode[]; subgroups?: boolean } = {},
): KernelSource {
  // The kernel's own text comes first: its directives must, and its lines keep their numbers.
  const files = [
    { name, code },
    ...shared.map((part) => ({ ...part, name: `shared/${part.name}` })),
  ];
  if (DEFINED.has(name)) {
    throw new HatchlingError(`Kernel ${name}: expected one of that name but found two`);
  }
  const whole = files.map((file) => file.code.endsWith("\n") ? file.code : `${file.code}\n`).join(
    "",
  );
  const source = { name, code: whole, files, subgroups, ...interfaceOf(name, whole) };
  DEFINED.set(name, source);
  return source;
}

const DEFINED = new Map<string, KernelSource>();

/** All kernels of the modules that are loaded; for tests and tools. */
export function definedKernels(): KernelSource[] {
  return [...DEFINED.values()];
}

/** What a device was given to compile. */
export interface Compiled {
  /** The kernel. */
  readonly source: KernelSource;
  /** Its whole text; kernels with subgroups may lack the directive that the language asks for. */
  readonly code: string;
  /** Values of its overrides. */
  readonly constants: Readonly<Record<string, number>>;
}

let watcher: ((compiled: Compiled) => void) | undefined;

/** Shows `seen` what is compiled from now on, for any device and for none, as plans do; for tests and tools. */
export function watchCompiled(seen: ((compiled: Compiled) => void) | undefined): void {
  watcher = seen;
}

/**
 * The text that is compiled: what the bindings are arrays of comes in front of the first line, so that lines keep their
 * numbers. Elements of `NAME_vec4` and `NAME_real` are f32, or f16 where `halves` has the name.
 *
 * @param subgroupDirective Whether the compiler asks for `enable subgroups`.
 */
export function kernelText(
  { bindings, code, subgroups }: KernelSource,
  halves: readonly string[] = [],
  subgroupDirective = false,
): string {
  const front = [
    halves.length ? "enable f16;" : "",
    subgroups && subgroupDirective ? "enable subgroups;" : "",
    ...bindings.filter((binding) => binding.halves).map(({ name }) => {
      const type = halves.includes(name) ? "f16" : "f32";
      return `alias ${name}_vec4 = vec4<${type}>; alias ${name}_real = ${type};`;
    }),
  ].filter(Boolean);
  return front.map((part) => `${part} `).join("") + code;
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

  /**
   * The pipeline of a source with given constants; compile errors are thrown by {@linkcode check}.
   *
   * @param halves Bindings that hold f16.
   */
  get(source: KernelSource, constants: Constants = {}, halves: readonly string[] = []): Pipeline {
    const key = `${source.name}|${halves}|${
      Object.entries(constants).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}=${+v}`)
        .join(",")
    }`;
    let found = this.#pipelines.get(key);
    if (!found) {
      found = this.#compile(source, constants, halves, key);
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

  #compile(
    source: KernelSource,
    constants: Constants,
    halves: readonly string[],
    key: string,
  ): Pipeline {
    const device = this.#device;
    device.pushErrorScope("validation");
    const name = `${source.name}|${halves}`;
    let module = this.#modules.get(name);
    if (!module) {
      const code = kernelText(source, halves, this.#subgroupDirective);
      module = device.createShaderModule({ code, label: source.name });
      this.#modules.set(name, module);
    }
    const values = Object.fromEntries(Object.entries(constants).map(([k, v]) => [k, +v]));
    watcher?.({ source, code: kernelText(source, halves), constants: values });
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
        this.#modules.delete(name);
        throw new HatchlingError(await describe(source, module, error.message));
      }),
    );
    // The rejection is thrown at the next check(); without this it would also count as unhandled.
    this.#problems.at(-1)!.catch(() => {});
    return { name: source.name, pipeline, layout, source, constants, halves };
  }
}

async function describe({ name, files }: KernelSource, module: GPUShaderModule, message: string) {
  const info = await module.getCompilationInfo?.().catch(() => undefined);
  const places = (info?.messages ?? []).filter((m) => m.lineNum > 0).map((m) => {
    const { file, line, text } = placeIn(files, m.lineNum);
    const [what] = m.message.trim().split("\n"); // what follows shows the place in the whole text
    return `  ${file}.wgsl:${line}:${m.linePos}: ${what}\n    ${text.trim()}`;
  });
  return `Kernel ${name}.wgsl does not compile on this adapter:\n${
    places.length ? places.join("\n") : "  " + message.trim().replaceAll("\n", "\n  ")
  }`;
}

/** The file, and its line, that a line of the whole text comes from. */
function placeIn(files: readonly SharedCode[], line: number) {
  for (const { name, code } of files) {
    const lines = code.replace(/\n$/, "").split("\n");
    if (line <= lines.length) return { file: name, line, text: lines[line - 1] };
    line -= lines.length;
  }
  return { file: files[0].name, line, text: "" };
}
