/**
 * What the library uses of `Deno` where there is a disk, by Node's functions: the package for npm has it in the place
 * of `Deno`. What it has not is asked of it in vain, with a sentence.
 *
 * @module
 */
import { FileOfNode } from "./deno_file.ts";
import { errors, flagsOf, infoOf, named, type Opening } from "./deno_parts.ts";

const fs = () => process.getBuiltinModule("node:fs");

type Path = string | URL;

const open = (path: Path, options?: Opening) =>
  named(() => new FileOfNode(fs().openSync(path, flagsOf(options), options?.mode)));

async function* readDir(path: Path) {
  for (const entry of await named(() => fs().promises.readdir(path, { withFileTypes: true }))) {
    yield entryOf(entry);
  }
}

function* readDirSync(path: Path) {
  for (const entry of named(() => fs().readdirSync(path, { withFileTypes: true }))) {
    yield entryOf(entry);
  }
}

function entryOf(entry: import("node:fs").Dirent) {
  const [isFile, isDirectory] = [entry.isFile(), entry.isDirectory()];
  return { name: entry.name, isFile, isDirectory, isSymlink: entry.isSymbolicLink() };
}

/** All that is there. */
function make(): Record<string, unknown> {
  const granted = { state: "granted" };
  const { arch, env, pid, platform } = process;
  const os = { win32: "windows", sunos: "solaris" }[platform as string] ?? platform;
  const bytes = (buffer: Uint8Array) => new Uint8Array(buffer);
  return {
    SeekMode: { Start: 0, Current: 1, End: 2 },
    build: { os, arch: { x64: "x86_64", arm64: "aarch64" }[arch as string] ?? arch },
    env: {
      get: (name: string) => env[name],
      set: (name: string, value: string) => void (env[name] = value),
      toObject: () => ({ ...env }),
    },
    errors,
    permissions: { query: () => Promise.resolve(granted), querySync: () => granted },
    pid,
    uid: () => process.getuid?.() ?? null,
    lstat: (path: Path) => named(async () => infoOf(await fs().promises.lstat(path))),
    stat: (path: Path) => named(async () => infoOf(await fs().promises.stat(path))),
    statSync: (path: Path) => named(() => infoOf(fs().statSync(path))),
    mkdir: (path: Path, options = {}) =>
      named(async () => void await fs().promises.mkdir(path, options)),
    open: async (path: Path, options?: Opening) => await open(path, options),
    openSync: open,
    readDir,
    readDirSync,
    readFile: (path: Path) => named(async () => bytes(await fs().promises.readFile(path))),
    readTextFile: (path: Path) => named(() => fs().promises.readFile(path, "utf8")),
    readTextFileSync: (path: Path) => named(() => fs().readFileSync(path, "utf8")),
    realPath: (path: Path) => named(() => fs().promises.realpath(path)),
    realPathSync: (path: Path) => named(() => fs().realpathSync(path)),
    remove: (path: Path, { recursive = false } = {}) =>
      named(async () => {
        const isFolder = (await fs().promises.lstat(path)).isDirectory();
        if (isFolder && !recursive) await fs().promises.rmdir(path);
        else await fs().promises.rm(path, { recursive });
      }),
    rename: (from: Path, to: Path) => named(() => fs().promises.rename(from, to)),
    writeFile: (path: Path, data: Uint8Array, { createNew = false } = {}) =>
      named(() => fs().promises.writeFile(path, data, { flag: createNew ? "wx" : "w" })),
  };
}

let made: Record<string, unknown> | undefined;

const lacking = (name: string) => () => {
  throw new Error(`Deno.${name} was asked for: this part of Hatchling runs on Deno alone`);
};

/** Stands for `Deno`; nothing of Node is asked for before it is used. */
export const denoOfNode: object = /* @__PURE__ */ new Proxy({}, {
  get: (_, name) => (made ??= make())[name as string] ?? lacking(String(name)),
});
