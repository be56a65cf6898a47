/**
 * Looking for adapters without being bound to what is found.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type AdapterNames, isSoftwareAdapter } from "../gpu/software.ts";
import { shown } from "../text.ts";

/** What an adapter says of itself. */
export interface ProbedAdapter {
  /** Its name, such as `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  description: string;
  /** Vendor as WebGPU tells it: a PCI id in decimal, or a name. */
  vendor: string;
  /** The vendor's number of it, likewise. */
  device: string;
  /** True when the work is done by a CPU. */
  isCpu: boolean;
}

/** What a request asks for unless something else is wanted: a GPU before a CPU, the fast one of two. */
export const USUAL_REQUEST: GPURequestAdapterOptions = { powerPreference: "high-performance" };

/**
 * Asks for an adapter in a thread of its own: Deno remembers drivers, and a null, for each thread.
 *
 * @returns Undefined where there is none.
 */
export async function probeAdapter(
  request: GPURequestAdapterOptions = USUAL_REQUEST,
): Promise<ProbedAdapter | undefined> {
  const code = `
    const adapter = await navigator.gpu?.requestAdapter(${JSON.stringify(request)});
    const { vendor, architecture, device, description, isFallbackAdapter } = adapter?.info ?? {};
    postMessage(adapter ? { vendor, architecture, device, description, isFallbackAdapter } : null);`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(code)}`, { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<AdapterNames | null>) => {
        if (!data) return resolve(undefined);
        const { vendor = "", device = "", description = "" } = data;
        resolve({ vendor, device, description, isCpu: isSoftwareAdapter(data) });
      };
      worker.onerror = (event) => {
        event.preventDefault();
        reject(
          new HatchlingError(`Expected to ask for a WebGPU adapter but: ${shown(event.message)}`),
        );
      };
    });
  } finally {
    worker.terminate();
  }
}
