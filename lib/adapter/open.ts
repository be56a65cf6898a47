/**
 * Opening the GPU that a configuration asks for.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, openGpu, type OpenGpuOptions } from "../gpu.ts";
import { shown } from "../text.ts";
import { ensureAdapter } from "./ensure.ts";
import { adapterLines, listAdapters, type ListedAdapter } from "./list.ts";
import { USUAL_REQUEST } from "./probe.ts";

/** Which GPU to open, and how: what section `device` of a configuration says of it. */
export interface DeviceChoice extends Omit<OpenGpuOptions, "adapter"> {
  /** Number of an adapter, as {@linkcode listAdapters} has them, or a part of its name; null takes the usual one. */
  adapter?: string | null;
}

/**
 * The adapter of that number, or the first with that in its name or interface.
 *
 * @throws {HatchlingError} When there is none, with a list of those that there are.
 */
export function adapterNamed(adapters: readonly ListedAdapter[], wanted: string): ListedAdapter {
  const has = (text: string | undefined) => text?.toLowerCase().includes(wanted.toLowerCase());
  const found = /^\d+$/.test(wanted)
    ? adapters[Number(wanted)]
    : adapters.find(({ description, backend }) => has(description) || has(backend));
  if (found) return found;
  const lines = adapterLines(adapters).map((line) => `\n  ${line}`).join("");
  throw new HatchlingError(
    `device.adapter: expected the number of an adapter of this machine, or a part of its name, but found ${
      shown(wanted)
    }. There ${adapters.length ? `are:${lines}` : "is none here"}`,
  );
}

/**
 * The adapter of that number or name, or the usual one; sees to it that there is one.
 *
 * One that is asked for by number or name must be the first that its thread asks for: drivers are then known.
 *
 * @throws {HatchlingError} When there is none, or not the one asked for.
 */
export async function chosenAdapter(wanted?: string | null): Promise<GPUAdapter | undefined> {
  await ensureAdapter();
  if (wanted === undefined || wanted === null) {
    return await navigator.gpu.requestAdapter(USUAL_REQUEST) ?? undefined;
  }
  const listed = adapterNamed(await listAdapters(), wanted);
  for (const [name, value] of Object.entries(listed.environment)) Deno.env.set(name, value);
  const adapter = await navigator.gpu.requestAdapter(listed.request);
  if (adapter?.info.description === listed.description) return adapter;
  throw new HatchlingError(
    `device.adapter: expected ${shown(listed.description)} but found ${
      shown(adapter?.info.description ?? "none")
    }: another was asked for before, and this thread keeps its drivers. Ask for it first`,
  );
}

/**
 * Opens the GPU that section `device` of a configuration asks for: what commands call.
 *
 * @throws {HatchlingError} When there is none, or not the one asked for.
 *
 * @example
 * ```ts ignore
 * import { openDevice } from "@hatchling/hatchling/adapter";
 *
 * const gpu = await openDevice({ limits: "portable", adapter: "llvmpipe" });
 * console.log(gpu.info.description);
 * gpu.destroy();
 * ```
 */
export async function openDevice(choice: DeviceChoice = {}): Promise<Gpu> {
  return await openGpu({ ...choice, adapter: await chosenAdapter(choice.adapter) });
}
