/**
 * The fixtures on Dawn, the WebGPU of Chromium, instead of Deno's own: `deno run -A tests/support/golden_dawn.ts`, with
 * the arguments of `deno task golden`. It takes Vulkan's driver, as `HATCHLING_ADAPTER` says.
 */
import { ensureAdapter } from "../../lib/adapter.ts";

await ensureAdapter(); // sees to a driver
const name: string = "webgpu";
const dawn = await import(name);
const gpu: GPU = dawn.create(["backend=vulkan"]);
Object.assign(globalThis, dawn.globals, { dawn: gpu }); // held: it crashes when it is collected before its devices
Object.defineProperty(navigator, "gpu", { value: gpu });
const adapter = await gpu.requestAdapter();
console.log(`Dawn on ${adapter?.info.description}`);
await import("../../scripts/golden/main.ts");
