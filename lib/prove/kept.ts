/**
 * What was proven on a machine, kept beside its choice of kernels: for this adapter and driver, this runtime, what the
 * device grants, and the text of all kernels.
 *
 * @module
 */
import type { Gpu, TuningStorage } from "../gpu.ts";
import { definedKernels } from "../gpu/kernel.ts";
import { type Capture, keyOf } from "./capture.ts";
import { hex } from "../text.ts";

/** A way that was struck off, and why. */
export interface Strike {
  /** As in {@linkcode Gpu.struck}. */
  name: string;
  /** The kernel that computed wrong. */
  kernel: string;
  /** What was expected and what was found. */
  fault: string;
}

/** What is known of a machine. */
export interface Known {
  /** Dispatches that computed right, by the hash of what tells them apart. */
  right: Set<string>;
  /** Ways that did not. */
  strikes: Strike[];
}

/** One more whenever a reference is mended: what it has called wrong, or right, is proven anew. */
const REFERENCES = 2;

/** Where it is kept: as choices of kernels are, under another name. */
export async function placeOf(gpu: Gpu): Promise<string> {
  const { vendor, architecture, device, description } = gpu.info;
  const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup } = gpu.limits;
  const text = JSON.stringify([
    REFERENCES,
    [vendor, architecture, device, description],
    globalThis.navigator?.userAgent,
    [gpu.subgroupSize, maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup],
    definedKernels().map(({ name, code }) => [name, code]).sort(),
  ]);
  return `proven-${(await sha256(text)).slice(0, 32)}`;
}

/** What is kept of this machine; nothing where it is damaged. */
export async function readKnown(storage: TuningStorage | undefined, place: string): Promise<Known> {
  const text = await storage?.get(place).catch(() => undefined);
  try {
    const { sha256: hash, ...kept } = JSON.parse(text ?? "null");
    if (await sha256(JSON.stringify(kept)) !== hash) throw new Error("damaged");
    return { right: new Set(kept.right), strikes: kept.strikes };
  } catch {
    return { right: new Set(), strikes: [] };
  }
}

/** Keeps it; a storage that fails costs no more than proving again. */
export async function writeKnown(
  storage: TuningStorage | undefined,
  place: string,
  { right, strikes }: Known,
): Promise<void> {
  // Another process may have proven something meanwhile.
  const { right: others } = await readKnown(storage, place);
  const kept = { right: [...new Set([...right, ...others])].sort(), strikes };
  const text = JSON.stringify({ ...kept, sha256: await sha256(JSON.stringify(kept)) });
  await storage?.set(place, text).catch(() => {});
}

/** A dispatch by 16 digits. */
export function hashOf(capture: Capture): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  const text = keyOf(capture);
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b + text.charCodeAt(i), 0x85ebca6b) ^ (b >>> 13);
  }
  return [a, b].map((x) => (x >>> 0).toString(16).padStart(8, "0")).join("");
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return hex(new Uint8Array(digest));
}
