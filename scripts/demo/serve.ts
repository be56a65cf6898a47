/**
 * Serves the page on this machine alone.
 *
 * @module
 */
import { extname, join, normalize } from "node:path";
import { LOOPBACK, portsOf } from "../common/dashboard/address.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { POLICY } from "./build.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".yaml": "text/yaml; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
};

/** Answers with a file of a folder, and with nothing else. */
export async function answer(folder: string, request: Request): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("Expected GET\n", { status: 405 });
  }
  let path: string;
  try {
    path = normalize(decodeURIComponent(new URL(request.url).pathname));
  } catch {
    return new Response("Expected a path\n", { status: 400 });
  }
  const name = path.endsWith("/") ? `${path}index.html` : path;
  const bytes = await Deno.readFile(join(folder, name)).catch(() => undefined);
  if (!bytes) return new Response("There is no such file here\n", { status: 404 });
  return new Response(bytes, {
    headers: {
      "content-type": TYPES[extname(name)] ?? "application/octet-stream",
      "content-security-policy": POLICY,
      "cache-control": "no-cache",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    },
  });
}

/**
 * Listens at 127.0.0.1, at the port given or the first free one.
 *
 * @returns The page's address, and how to end it.
 * @throws {HatchlingError} When no port is free.
 */
export function serveDemo(
  folder: string,
  port?: number,
): { url: string; close(): Promise<void> } {
  const ports = portsOf({ host: LOOPBACK, port });
  for (const port of ports) {
    try {
      const ends = new AbortController(), { signal } = ends;
      const options = { hostname: LOOPBACK, port, signal, onListen() {} };
      const server = Deno.serve(options, (request) => answer(folder, request));
      const close = async () => {
        ends.abort(); // at once: a browser keeps its connections for minutes
        await server.finished;
      };
      return { url: `http://${LOOPBACK}:${port}/`, close };
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new HatchlingError(
    `Expected a free port at ${LOOPBACK} but ${ports.join(", ")} are taken: name another one`,
  );
}
