/**
 * Sees to it that `navigator.gpu.requestAdapter()` finds something, also where no Vulkan is installed.
 *
 * @example
 * ```ts ignore
 * import { openDevice } from "@hatchling/hatchling/adapter";
 *
 * const gpu = await openDevice(); // on Linux without a driver: fetches one for the CPU
 * ```
 *
 * @module
 */

export {
  type AdapterChoice,
  type AdapterReport,
  ensureAdapter,
  type EnsureAdapterOptions,
} from "./adapter/ensure.ts";
export {
  adapterLines,
  type AdapterRoute,
  listAdapters,
  type ListedAdapter,
} from "./adapter/list.ts";
export { chosenAdapter, type DeviceChoice, openDevice } from "./adapter/open.ts";
export type { ProbedAdapter } from "./adapter/probe.ts";
export type { Platform, System } from "./io/platform.ts";
