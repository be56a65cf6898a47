/**
 * What this machine offers, and whether it computes right.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import {
  adapterLines,
  chosenAdapter,
  type DeviceChoice,
  ensureAdapter,
  listAdapters,
} from "../../lib/adapter.ts";
import { type Gpu, openGpu } from "../../lib/gpu.ts";
import { matmul } from "../../lib/ops/matmul.ts";
import { print, say } from "../common/terminal.ts";

/** Odd sizes, so that every tile has an edge: [M, K] · [K, N]. */
const M = 65, K = 127, N = 33;

/**
 * Prints what the machine offers, and checks a matrix product against float64.
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
  const started = performance.now();
  const error = await matmulError(gpu);
  const milliseconds = (performance.now() - started).toFixed(0);
  const verdict = error <= 1 ? "ok" : "WRONG";
  row(`matmul ${M}×${K}×${N}`, `${verdict}, ${milliseconds} ms with compiling`);
  row("largest error", `${error.toPrecision(2)} of what float32 allows`);
  gpu.destroy();
  if (!(error <= 1)) {
    throw new HatchlingError(
      "Expected the product of two matrices but found another: this driver computes wrong. " +
        "Update it, or try HATCHLING_ADAPTER=swiftshader",
    );
  }
}

/**
 * Largest error of a product of two matrices against float64, relative to the bound K·ε·Σ|a||b| that
 * holds for float32 whatever the order of the sum (Higham, Accuracy and Stability of Numerical
 * Algorithms, 3.1; ε = 2⁻²⁴).
 */
async function matmulError(gpu: Gpu): Promise<number> {
  const a = Float32Array.from({ length: M * K }, (_, i) => Math.sin(12.9898 * i));
  const b = Float32Array.from({ length: K * N }, (_, i) => Math.cos(78.233 * i));
  const c = await matmul(gpu, gpu.tensor(a, [M, K]), gpu.tensor(b, [K, N])).read();
  let worst = 0;
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      let sum = 0, size = 0;
      for (let k = 0; k < K; k++) {
        const product = a[m * K + k] * b[k * N + n];
        sum += product;
        size += Math.abs(product);
      }
      const error = Math.abs(c[m * N + n] - sum) / (K * 2 ** -24 * size);
      worst = Number.isFinite(error) ? Math.max(worst, error) : Infinity;
    }
  }
  return worst;
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
