/**
 * An adapter for machines that have none.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { probeAdapter } from "./probe.ts";

/** Where the adapter may come from: `HATCHLING_ADAPTER`. */
export type AdapterChoice = "auto" | "system" | "swiftshader";

/** Options of {@linkcode ensureAdapter}. */
export interface EnsureAdapterOptions {
  /**
   * `"auto"`: the system's driver, else SwiftShader. `"system"`: never download anything.
   * `"swiftshader"`: SwiftShader even where the system has a driver. Default: the environment variable
   * `HATCHLING_ADAPTER`, else `"auto"`.
   */
  adapter?: AdapterChoice;
  /** Receives the line that names the device. Default: standard error. */
  log?: (line: string) => void;
}

/** What {@linkcode ensureAdapter} found. */
export interface AdapterReport {
  /** `"system"`: a driver installed on this machine; `"swiftshader"`: the one from npm. */
  source: "system" | "swiftshader";
  /** The adapter's own name, such as `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  description: string;
  /** Vendor as WebGPU tells it: a PCI id in decimal, or a name. */
  vendor: string;
  /** True when the work is done by a CPU. */
  isCpu: boolean;
  /** Folder of the Vulkan loader that was loaded; only with SwiftShader. */
  folder?: string;
}

/** Name of the process-wide note of what was found: test modules and workers need not ask again. */
const NOTE = "HATCHLING_ADAPTER_NOTE";

/**
 * Makes an adapter available to this process, before its first `requestAdapter()`.
 *
 * A GPU with its driver is used as it is, and nothing is downloaded. On Linux (x86-64) without any
 * Vulkan driver, SwiftShader comes from npm (70 MB, once) and runs on the CPU. One line on standard
 * error names the device. Call it before `requestAdapter()`: Deno remembers a null for each thread.
 *
 * @param options See {@linkcode EnsureAdapterOptions}
 * @returns Which adapter `requestAdapter({ powerPreference: "high-performance" })` now gives
 * @throws {HatchlingError} When there is none, with what to install on this platform
 *
 * @example
 * ```ts ignore
 * import { ensureAdapter } from "@hatchling/hatchling/adapter";
 *
 * const { description, isCpu } = await ensureAdapter();
 * console.log(description, isCpu ? "on a CPU" : "on a GPU");
 * ```
 *
 * @category GPU
 */
export async function ensureAdapter(options: EnsureAdapterOptions = {}): Promise<AdapterReport> {
  const choice = adapterChoice(options.adapter);
  const noted = readNote(choice);
  if (noted) {
    // The library is closed with the module that opened it, so each one holds it open.
    if (noted.folder) Deno.dlopen(`${noted.folder}/libvulkan.so.1`, {});
    return noted;
  }
  const { webgpuEnvironment } = await import("../io/platform.ts"); // when used, as in a browser it is not
  for (const [name, value] of Object.entries(webgpuEnvironment())) Deno.env.set(name, value);
  if (Deno.build.os === "linux") await tuneMesa();
  let report = choice === "swiftshader" ? undefined : await probe("system");
  if (!report && choice !== "system") report = await useSwiftShader(choice, options.log);
  if (!report) throw new HatchlingError(`Expected a WebGPU adapter but found none. ${remedy()}`);
  (options.log ?? note)(describe(report, choice));
  Deno.env.set(NOTE, JSON.stringify({ pid: Deno.pid, choice, report }));
  return report;
}

/** Whether SwiftShader is there for this machine: its package holds the driver for Linux on x86-64 alone. */
export const runsSwiftShader = (): boolean =>
  Deno.build.os === "linux" && Deno.build.arch === "x86_64";

/**
 * Where the adapter is to come from.
 *
 * @param asked What the caller asks for; else the environment variable decides.
 * @throws {HatchlingError} When that is none of the words, or SwiftShader where it does not run.
 */
export function adapterChoice(asked?: AdapterChoice): AdapterChoice {
  const choice = asked ?? Deno.env.get("HATCHLING_ADAPTER") ?? "auto";
  if (choice !== "auto" && choice !== "system" && choice !== "swiftshader") {
    throw new HatchlingError(
      `Expected HATCHLING_ADAPTER to be auto, system or swiftshader but found "${shown(choice)}"`,
    );
  }
  if (choice === "swiftshader" && !runsSwiftShader()) {
    const { os, arch } = Deno.build;
    throw new HatchlingError(
      `Expected Linux on x86-64 for HATCHLING_ADAPTER=swiftshader but found ${os} on ${arch}. ${remedy()}`,
    );
  }
  return choice;
}

/** Says a line on standard error; that nobody may read any more. */
function note(line: string): void {
  try {
    console.error(line);
  } catch {
    // a closed terminal is no reason to stop
  }
}

/** What an earlier call in this process found; children inherit the environment but not its libraries. */
function readNote(choice: AdapterChoice): AdapterReport | undefined {
  try {
    const note = JSON.parse(Deno.env.get(NOTE) ?? "null");
    return note?.pid === Deno.pid && note.choice === choice ? note.report : undefined;
  } catch {
    return undefined; // not ours
  }
}

/**
 * Sets what Mesa's software driver is better off with, unless the user has:
 *
 * - Subgroups of 16 where the CPU has vectors for them: it takes 8 unless told, and products in 16 take two thirds of
 *   the time of those in 8.
 * - Two threads per core: it gives each of them its share of a dispatch beforehand, and all wait for the last one,
 *   which is late wherever this program's own threads take a core from it. With as many again the others go on there.
 */
async function tuneMesa(): Promise<void> {
  const suggest = (name: string, value: string) => Deno.env.get(name) || Deno.env.set(name, value);
  suggest("LP_NUM_THREADS", String(2 * navigator.hardwareConcurrency));
  const { readProc } = await import("../io/proc.ts");
  // Who may not read this goes on with the driver's own width. The first processor's flags are near its beginning.
  const [, flags = ""] = /^flags\s*:(.*)$/m.exec(readProc("/proc/cpuinfo") ?? "") ?? [];
  const wanted = ["avx512f", "avx512bw", "avx512dq", "avx512vl"];
  const isWide = wanted.every((flag) => flags.split(" ").includes(flag));
  if (isWide) suggest("LP_NATIVE_VECTOR_WIDTH", "512");
}

async function probe(source: AdapterReport["source"]): Promise<AdapterReport | undefined> {
  const found = await probeAdapter();
  if (!found) return undefined;
  const { description, vendor, isCpu } = found;
  return { source, description, vendor, isCpu };
}

async function useSwiftShader(
  choice: AdapterChoice,
  log: (line: string) => void = note,
): Promise<AdapterReport | undefined> {
  if (!runsSwiftShader()) return undefined;
  const { swiftShaderDir, SWIFTSHADER_MANIFEST } = await import("./swiftshader.ts");
  const folder = await swiftShaderDir(() =>
    log("Getting SwiftShader, a Vulkan driver for CPUs, from npm (70 MB, once) …")
  ).catch((error) => {
    if (!Deno.build.standalone || choice !== "auto") throw error;
    const why = (error as Error).message; // it names what gets SwiftShader
    throw new HatchlingError(
      `Expected a WebGPU adapter but found none of this system, and no driver for CPUs: ${why}. Or: ${remedy()}`,
      { cause: error },
    );
  });
  // Newer loaders read VK_DRIVER_FILES first. Ours is the only driver either way.
  const manifest = `${folder}/${SWIFTSHADER_MANIFEST}`;
  Deno.env.set("VK_ICD_FILENAMES", manifest);
  Deno.env.set("VK_DRIVER_FILES", manifest);
  const loader = `${folder}/libvulkan.so.1`;
  try {
    Deno.dlopen(loader, {}); // wgpu's own dlopen("libvulkan.so.1") now finds this one
  } catch (cause) {
    throw new HatchlingError(
      `Expected to load ${loader} but: ${(cause as Error).message}. Allow it (-A), or set ` +
        `HATCHLING_CACHE to a folder from which programs may run`,
      { cause },
    );
  }
  const report = await probe("swiftshader");
  if (!report) {
    throw new HatchlingError(`Expected an adapter from ${loader} but found none. ${remedy()}`);
  }
  return { ...report, folder };
}

/** One line: the device, whether it is a CPU, and how to get a faster one. */
function describe({ source, isCpu, ...found }: AdapterReport, choice: AdapterChoice): string {
  const description = shown(found.description);
  if (!isCpu) return `Device: ${description}`;
  if (choice === "swiftshader") return `Device: ${description}, a CPU, as HATCHLING_ADAPTER asks`;
  const faster = source === "swiftshader"
    ? " Several times faster: apt-get install mesa-vulkan-drivers."
    : "";
  return `Device: ${description}, a CPU: no GPU with a Vulkan driver was found.${faster}${nvidia()}`;
}

/** An NVIDIA kernel driver without a Vulkan one is what a container without its graphics part shows. */
function nvidia(): string {
  try {
    Deno.statSync("/proc/driver/nvidia/version");
  } catch {
    return "";
  }
  return " This machine has an NVIDIA GPU: install libvulkan1, and start a container with " +
    "NVIDIA_DRIVER_CAPABILITIES=all.";
}

function remedy(): string {
  switch (Deno.build.os) {
    case "linux":
      return "Install the GPU's Vulkan driver and its loader, or a driver for CPUs: " +
        `apt-get install mesa-vulkan-drivers libvulkan1.${nvidia()}`;
    case "darwin":
      return "WebGPU needs Metal: use macOS itself or a virtual machine that passes Metal on.";
    case "windows":
      return "WebGPU needs DirectX 12 or Vulkan: install the current driver of the GPU.";
    default:
      return "Install a Vulkan driver and its loader.";
  }
}
