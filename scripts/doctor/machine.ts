/**
 * What this machine offers, and whether it computes right.
 *
 * @module
 */
import {
  adapterLines,
  chosenAdapter,
  type DeviceChoice,
  ensureAdapter,
  listAdapters,
} from "../../lib/adapter.ts";
import { loadMpi } from "../../lib/comm/library.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { openGpu } from "../../lib/gpu.ts";
import { EFFORTS, proveMachine } from "../../lib/prove.ts";
import { shown } from "../../lib/text.ts";
import { kernelStorage } from "../common/kernel_storage.ts";
import { Progress } from "../common/progress.ts";
import { refuse, strikeLine } from "../common/proven.ts";
import { print, say } from "../common/terminal.ts";

/**
 * Prints what the machine offers, and proves some dispatches of the most common kernels.
 *
 * @throws {HatchlingError} When there is no adapter, or it computes wrong.
 */
export async function examineMachine(choice: DeviceChoice): Promise<void> {
  row("Deno", `${Deno.version.deno}, V8 ${Deno.version.v8}`);
  row("system", `${Deno.build.os} on ${Deno.build.arch}, ${navigator.hardwareConcurrency} cores`);
  await ensureAdapter({ log: (line) => say(line) });
  const lines = adapterLines(await listAdapters());
  lines.forEach((line, i) => row(i ? "" : "adapters", line));
  const adapter = await chosenAdapter(choice.adapter);
  const gpu = await openGpu({ limits: choice.limits, adapter });
  row("device", `${gpu.info.description} (vendor ${gpu.info.vendor})`);
  row("kind", gpu.isSoftware ? "CPU: software plays the GPU" : "GPU");
  const driver = Deno.env.get("VK_DRIVER_FILES")?.split(":")[0];
  row("driver", driver ?? "installed on this system");
  row("largest buffer", mebibytes(gpu.limits.maxBufferSize));
  row("largest binding", mebibytes(gpu.limits.maxStorageBufferBindingSize));
  row("storage buffers", `${gpu.limits.maxStorageBuffersPerShaderStage} in one kernel`);
  row("workgroup", workgroup(gpu.limits));
  row("subgroups", `${gpu.info.subgroupMinSize} to ${gpu.info.subgroupMaxSize} invocations`);
  for (const feature of ["timestamp-query", "shader-f16"]) {
    row(feature, adapter?.features.has(feature) ? "yes" : "no");
  }
  row("MPI", mpiText());
  const started = performance.now();
  const progress = new Progress();
  const findings = await proveMachine(gpu, {
    odd: "few",
    effort: EFFORTS.short,
    storage: await kernelStorage(),
    onProgress: (done, total) => progress.show(`proving kernels: ${done} of ${total}`, !done),
  });
  progress.end();
  const { proofs, known, strikes } = findings;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const error = proofs.reduce((most, { error }) => Math.max(most, error), 0);
  row(
    "kernels",
    `${proofs.length} dispatches proven in ${seconds} s with compiling, ${known} known from before`,
  );
  if (proofs.length) row("largest error", `${error.toPrecision(2)} of what float32 allows`);
  for (const strike of strikes) print(strikeLine(gpu, strike));
  gpu.destroy();
  refuse(findings);
}

/**
 * Whether runs may have several ranks here, in words. OpenMPI is loaded into this process, but not started.
 *
 * @param load How it is loaded; for tests.
 */
export function mpiText(load: typeof loadMpi = loadMpi): string {
  try {
    const { implementation } = load();
    const path = loadedFrom(/\/\S*\/libmpi\.so[.\d]*/); // a machine may have several of them
    return `${implementation}${
      path ? ` in ${shown(path)}` : ""
    }: mpirun -np N starts runs of N ranks`;
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
    return `none that can be used, and a run of one process needs none: ${
      error.message.replace(/^MPI: /, "")
    }`;
  }
}

/** Path of a library of this process; only Linux tells. */
function loadedFrom(name: RegExp): string | undefined {
  try {
    return Deno.readTextFileSync("/proc/self/maps").match(name)?.[0];
  } catch {
    return; // another system
  }
}

function row(name: string, value: string): void {
  print(`${name.padEnd(18)} ${value}`);
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}

function workgroup(limits: GPUSupportedLimits): string {
  const { maxComputeInvocationsPerWorkgroup: invocations, maxComputeWorkgroupStorageSize: bytes } =
    limits;
  return `${invocations} invocations, ${bytes / 1024} KiB of shared memory`;
}
