/**
 * Adapters that are a program on the CPU.
 *
 * @module
 */

/** What an adapter says of itself. */
export type AdapterNames = Partial<
  Pick<GPUAdapterInfo, "vendor" | "architecture" | "device" | "description" | "isFallbackAdapter">
>;

/** SwiftShader, Mesa's drivers, and Windows' WARP, which calls itself Basic Render Driver. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bwarp\b/i;

/**
 * Whether a CPU plays the GPU. Some implementations (Dawn for Node) call no adapter a fallback, so names count too.
 *
 * @example
 * ```ts
 * import { isSoftwareAdapter } from "./software.ts";
 *
 * const names = { vendor: "google", architecture: "swiftshader", isFallbackAdapter: false };
 * console.assert(isSoftwareAdapter(names) && !isSoftwareAdapter({ vendor: "nvidia" }));
 * ```
 */
export function isSoftwareAdapter(info: AdapterNames): boolean {
  const { vendor, architecture, device, description } = info;
  return !!info.isFallbackAdapter ||
    [vendor, architecture, device, description].some((name) => SOFTWARE.test(name ?? ""));
}
