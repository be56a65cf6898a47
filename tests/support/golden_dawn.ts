/**
 * The fixtures on Dawn, the WebGPU of Chromium, instead of Deno's own:
 * `deno run -A --no-lock tests/support/golden_dawn.ts`, with the arguments of `deno task golden`. It takes Vulkan's
 * driver, as `HATCHLING_ADAPTER` says.
 */
import { ensureAdapter } from "../../lib/adapter.ts";
import { createDawn } from "./dawn.ts";

await ensureAdapter(); // sees to a driver
const { gpu, globals } = await createDawn("vulkan");
Object.assign(globalThis, globals, { dawn: gpu }); // held: it crashes when it is collected before its devices
Object.defineProperty(navigator, "gpu", { value: gpu });
const adapter = await gpu.requestAdapter();
console.log(`Dawn on ${adapter?.info.description}`);
await import("../../scripts/golden/main.ts");
