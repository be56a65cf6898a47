/** The repository served on loopback, for scripts that import it by URL. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ensureAdapter } from "../../lib/adapter.ts";
import { lacksAdapter } from "./gpu.ts";
import { lacks, testUnless, withFolder } from "./permissions.ts";
import { HANG_MS } from "./hang.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Runs Deno; its errors show in the message of a test that fails. */
async function deno(
  args: string[],
  cwd?: string,
  env: Record<string, string> = {},
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env: { NO_COLOR: "1", ...env },
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.equal(code, 0, text(stderr));
  return text(stdout);
}

/**
 * A process without permissions cannot load a driver for itself: where the system has none, it finds the
 * one that this process uses. (The variables that name its manifest are inherited.)
 */
async function driver(): Promise<Record<string, string>> {
  const { folder } = await ensureAdapter({ log: () => {} });
  return folder ? { LD_LIBRARY_PATH: folder } : {};
}

/** Serves the repository's files on loopback, and notes which were asked for and not there. */
function serve() {
  const served: string[] = [], missing: string[] = [];
  const answer = async (request: Request) => {
    const path = decodeURIComponent(new URL(request.url).pathname).slice(1);
    const body = path.includes("..") ? null : await Deno.readFile(ROOT + path).catch(() => null);
    (body ? served : missing).push(path);
    const type = path.endsWith(".ts") ? "application/typescript" : "text/plain";
    return new Response(body, { status: body ? 200 : 404, headers: { "content-type": type } });
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, answer);
  return { server, host: `127.0.0.1:${server.addr.port}`, served, missing };
}

/** Deno keeps what it imports: removes what came from that address. */
async function forget(host: string): Promise<void> {
  const { modulesCache, typescriptCache } = JSON.parse(await deno(["info", "--json"]));
  for (const cache of [modulesCache, typescriptCache]) {
    const folder = `${cache}/http/${host.replace(":", "_PORT")}`;
    await Deno.remove(folder, { recursive: true }).catch(() => {}); // not every cache has it
  }
}

/**
 * A test of a script in a folder of its own, run there by a process of its own.
 *
 * @param prepare Writes `script.ts` and what it needs into the folder; gives the arguments, flags first.
 * @param check Is told what it printed and which files it fetched.
 */
export function remoteTest(
  name: string,
  prepare: (folder: string, base: string) => Promise<string[]>,
  check: (printed: string, served: string[], folder: string) => void | Promise<void>,
): void {
  const needs = lacks("net", "run", "read", "write", "env", "sys", "ffi");
  testUnless([lacksAdapter, needs], name, () =>
    withFolder(async (folder) => {
      const { server, host, served, missing } = serve();
      try {
        const args = await prepare(folder, `http://${host}`);
        const printed = await deno(
          ["run", "--no-prompt", `--allow-import=${host}`, ...args],
          folder,
          await driver(),
        );
        assert.deepEqual(missing, []);
        await check(printed, served, folder);
        for (const path of served) assert.match(path, /^(mod\.ts|lib\/.*\.ts|kernels\/.*\.wgsl)$/);
      } finally {
        await server.shutdown();
        await forget(host);
      }
    }));
}
