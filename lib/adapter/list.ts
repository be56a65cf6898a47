/**
 * Which adapters a machine has. WebGPU gives one and lists none: so they are asked for in all ways there are.
 *
 * @module
 */
import type { Platform } from "../io/platform.ts";
import { shown } from "../text.ts";
import { probeAdapter, type ProbedAdapter, USUAL_REQUEST } from "./probe.ts";

/** A way to ask for an adapter. */
export interface AdapterRoute {
  /** The environment that it takes, beside what is set. */
  readonly environment: Readonly<Record<string, string>>;
  /** The request. */
  readonly request: GPURequestAdapterOptions;
}

/** An adapter of this machine, and how to get it. */
export interface ListedAdapter extends ProbedAdapter, AdapterRoute {
  /** The interface to its driver, such as `dx12`, where a machine may offer one through several. */
  readonly backend?: string;
}

const REQUESTS: readonly GPURequestAdapterOptions[] = [
  USUAL_REQUEST,
  { powerPreference: "low-power" },
  { forceFallbackAdapter: true },
];

/** Manifests of drivers that need no hardware. */
const CPU_DRIVER = /lvp|swiftshader/;

/**
 * The ways that a system has: the usual request, which comes first, that for a frugal GPU, that for a CPU; each of
 * these through each interface on Windows; every driver of Vulkan by itself on Linux.
 *
 * @param manifests Vulkan's drivers, see {@linkcode vulkanManifests}.
 */
export function adapterRoutes(
  { os, env }: Pick<Platform, "os" | "env">,
  manifests: readonly string[],
): AdapterRoute[] {
  const usual = REQUESTS.map((request) => ({ environment: {}, request }));
  const backends = os === "windows" ? (env.DENO_WEBGPU_BACKEND ?? "").split(",") : [];
  const behind = manifests.find((manifest) => CPU_DRIVER.test(manifest));
  return [
    ...usual,
    ...(backends.length > 1 ? backends : []).flatMap((backend) =>
      REQUESTS.map((request) => ({ environment: { DENO_WEBGPU_BACKEND: backend }, request }))
    ),
    ...manifests.map((manifest) => {
      // A driver without its hardware is an error that wgpu tells on the terminal, unless a CPU's stands behind it.
      const files = CPU_DRIVER.test(manifest) || !behind ? manifest : `${manifest}:${behind}`;
      // Newer loaders read VK_DRIVER_FILES first.
      const environment = { VK_ICD_FILENAMES: files, VK_DRIVER_FILES: files };
      return { environment, request: USUAL_REQUEST };
    }),
  ];
}

/**
 * All adapters that can be found, that which is taken by itself first; after `ensureAdapter`, which sees to drivers. Two equal GPUs behind one driver are found as one.
 *
 * @param probe Asks in one way; for tests.
 */
export async function listAdapters(
  probe: (route: AdapterRoute) => Promise<ProbedAdapter | undefined> = probeRoute,
  platform?: Platform,
): Promise<ListedAdapter[]> {
  // When used: a browser can import this module.
  const { HERE } = await import("../io/platform.ts");
  const { vulkanManifests } = await import("./manifests.ts");
  const here = platform ?? HERE;
  const found = new Map<string, ListedAdapter>();
  for (const route of adapterRoutes(here, vulkanManifests(here))) {
    const adapter = await probe(route);
    if (!adapter) continue;
    const backend = route.environment.DENO_WEBGPU_BACKEND;
    const { vendor, device, description } = adapter;
    const key = (backend?: string) => JSON.stringify([vendor, device, description, backend]);
    // What came first, by the usual request, is known through which interface once it is met again.
    const before = backend ? found.get(key()) : undefined;
    if (before && !before.backend) {
      found.set(key(), { ...adapter, ...route, backend });
      found.set(key(backend), found.get(key())!);
    } else if (!found.has(key(backend))) {
      found.set(key(backend), { ...adapter, ...route, ...(backend ? { backend } : {}) });
    }
  }
  return [...new Set(found.values())];
}

/** One line for each, as they can be asked for. */
export function adapterLines(adapters: readonly ListedAdapter[]): string[] {
  return adapters.map(({ description, backend, isCpu }, i) =>
    `${i}: ${shown(description)}${backend ? `, ${backend}` : ""}${isCpu ? ", a CPU" : ""}`
  );
}

/** Asks with the route's environment set, which is put back: that of the whole process. */
async function probeRoute({ environment, request }: AdapterRoute) {
  const before = Object.keys(environment).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(environment)) Deno.env.set(name, value);
  try {
    return await probeAdapter(request);
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}
