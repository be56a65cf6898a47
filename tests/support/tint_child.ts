/**
 * Compiles by Tint what comes in, a kernel on each line, and answers each with a line, "said: " and JSON: what Tint has to say,
 * warnings included; "" when nothing. `tint.ts` runs it, without an import map.
 */
import type { Compiled } from "../../lib/gpu/kernel.ts";
import { createDawn } from "./dawn.ts";

/**
 * This device has 16 KiB and 8 buffers; what needs more is for adapters that have it, and all else has been checked by
 * then.
 */
const SMALL =
  /^The (total use of workgroup storage \(\d+ bytes\) is larger than|number of storage buffers \(\d+\) in the Compute stage exceeds) the maximum/;

/** Dawn writes warnings of its own. */
const MARK = "said: ";

async function complaint(device: GPUDevice, compiled: Compiled): Promise<string> {
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

const { gpu } = await createDawn("null");
const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error("Dawn has no adapter that computes nothing");
const requiredFeatures = ["subgroups", "shader-f16"] as GPUFeatureName[];
const device = await adapter.requestDevice({ requiredFeatures });
for (const line of (await new Response(Deno.stdin.readable).text()).split("\n")) {
  if (line) console.log(MARK + JSON.stringify(await complaint(device, JSON.parse(line))));
}
device.destroy();
// Dawn crashes when its instance is collected before what it gave: the process ends first.
Deno.exit(gpu && adapter ? 0 : 1);
