/**
 * Tint, the compiler of Chromium and its kin: Dawn for Node with a backend that computes nothing, so that it needs no
 * GPU. Deno's own compiler is naga; what both take is WGSL.
 */
import type { Compiled } from "../../lib/gpu/kernel.ts";
import { lacks } from "./permissions.ts";

/** Why Tint cannot run here; "" when it can. */
export const lacksTint: string = lacks("read", "write", "env", "ffi", "sys");

/** Dawn crashes when its instance is collected before what it gave. */
const held: unknown[] = [];

/** A device whose kernels Tint compiles. */
export async function openTint(): Promise<GPUDevice> {
  // Not a literal: only who runs this downloads it.
  const name: string = "webgpu";
  const dawn = await import(name);
  const instance: GPU = dawn.create(["backend=null"]);
  const adapter = await instance.requestAdapter();
  if (!adapter) throw new Error("Dawn has no adapter that computes nothing");
  held.push(instance, adapter);
  const requiredFeatures = ["subgroups", "shader-f16"] as GPUFeatureName[];
  return await adapter.requestDevice({ requiredFeatures });
}

/** This device has 16 KiB; what needs more is for adapters that have it, and all else has been checked by then. */
const SMALL =
  /^The total use of workgroup storage \(\d+ bytes\) is larger than the maximum allowed/;

/** What Tint has to say of a kernel, warnings included; "" when nothing. */
export async function complaint(device: GPUDevice, compiled: Compiled): Promise<string> {
  const { source, code, constants } = compiled;
  device.pushErrorScope("validation");
  const directive = source.subgroups ? "enable subgroups; " : "";
  const module = device.createShaderModule({ code: directive + code });
  const compute = { module, entryPoint: "main", constants };
  const { messages } = await module.getCompilationInfo();
  // Says nothing by itself of a module that is not valid.
  if (!messages.some(({ type }) => type === "error")) {
    device.createComputePipeline({ layout: "auto", compute });
  }
  const error = await device.popErrorScope();
  const all = messages.map(({ type, lineNum, message }) => `line ${lineNum}: ${type}: ${message}`);
  if (error && !messages.length && !SMALL.test(error.message)) all.push(error.message);
  if (!all.length) return "";
  return `${source.name} ${JSON.stringify(constants)}: ${all.join("; ")}`;
}
