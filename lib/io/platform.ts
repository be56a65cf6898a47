/**
 * What differs from system to system, as functions of a description of one: so all of them can be tried on any.
 *
 * @module
 */
import { tmpdir } from "node:os";
import { posix, win32 } from "node:path";

/** A kind of system, as Deno names it. */
export type System =
  | ("darwin" | "linux" | "windows" | "android")
  | ("aix" | "freebsd" | "illumos" | "netbsd" | "solaris");

/** A system, as far as the project looks at it. */
export interface Platform {
  /** Its kind. */
  readonly os: System;
  /** The environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's number; null on Windows, where users have none. */
  readonly uid: number | null;
  /** Where temporary files go. */
  readonly temporary: string;
}

/** The system that this program runs on; each is asked for, with its permission, where it is looked at. */
export const HERE: Platform = {
  get os() {
    return Deno.build.os; // asked for late: a page, which has no Deno, may import this
  },
  get env() {
    return Deno.env.toObject();
  },
  get uid() {
    return Deno.uid();
  },
  get temporary() {
    return tmpdir();
  },
};

/** What is done with paths. */
export interface Paths {
  dirname(path: string): string;
  isAbsolute(path: string): boolean;
  join(...parts: string[]): string;
  resolve(...parts: string[]): string;
}

/** Paths as the system writes them. */
export function pathsOf({ os }: Pick<Platform, "os">): Paths {
  return os === "windows" ? win32 : posix;
}

/**
 * The user's cache folder of this project: `HATCHLING_CACHE`, else by the system's custom: `hatchling` in
 * `%LOCALAPPDATA%` on Windows, in `~/Library/Caches` on macOS, in `$XDG_CACHE_HOME` or `~/.cache` elsewhere.
 *
 * @returns An absolute path, which need not exist; undefined where the environment names none.
 */
export function cacheFolder(platform: Platform = HERE): string | undefined {
  const { os, env } = platform;
  const { isAbsolute, join, resolve } = pathsOf(platform);
  if (env.HATCHLING_CACHE) return resolve(env.HATCHLING_CACHE);
  const within = (base: string | undefined, ...parts: string[]) =>
    base && isAbsolute(base) ? join(base, ...parts, "hatchling") : undefined;
  if (os === "windows") return within(env.LOCALAPPDATA);
  if (os === "darwin") return within(env.HOME, "Library", "Caches");
  return within(env.XDG_CACHE_HOME) ?? within(env.HOME, ".cache");
}

/** A folder among the temporary files that is this user's; on Windows these are by themselves. */
export function temporaryFolder(platform: Platform = HERE): string {
  return pathsOf(platform).join(platform.temporary, `hatchling-${platform.uid ?? "cache"}`);
}

/** The folder part of a path, "." when there is none. */
export function folderOf(path: string, platform: Pick<Platform, "os"> = HERE): string {
  return pathsOf(platform).dirname(path);
}

/** Signals that end a program, with their numbers; there is no SIGTERM on Windows. */
export function endingSignals(
  { os }: Pick<Platform, "os"> = HERE,
): { readonly [name in "SIGHUP" | "SIGINT" | "SIGTERM"]?: number } {
  const everywhere = { SIGHUP: 1, SIGINT: 2 } as const;
  return os === "windows" ? everywhere : { ...everywhere, SIGTERM: 15 };
}

/** The C library, for the little that Deno has no function for; kernel32 on Windows. */
export function systemLibrary({ os }: Pick<Platform, "os"> = HERE): string {
  return { windows: "kernel32.dll", darwin: "libSystem.dylib", linux: "libc.so.6" }[
    os as string
  ] ?? "libc.so";
}

/**
 * What WebGPU reads of the environment, where the user has not set it.
 *
 * Without `DENO_WEBGPU_BACKEND` wgpu also opens OpenGL drivers: 30 ms more, noise from Mesa, crashes when threads end,
 * and, without Vulkan, an adapter that OpenGL emulates. It can still be asked for by name. On Windows Vulkan comes
 * before DirectX 12, whose old compiler FXC, Deno's choice, has neither f16 nor subgroups: `auto` takes the new one
 * (dxcompiler.dll on the path) where there is one. Mesa complains about an unset `XDG_RUNTIME_DIR` that it does not use.
 */
export function webgpuEnvironment(platform: Platform = HERE): Record<string, string> {
  const { os, env } = platform;
  const wanted: Record<string, Record<string, string>> = {
    linux: { DENO_WEBGPU_BACKEND: "vulkan", XDG_RUNTIME_DIR: platform.temporary },
    windows: { DENO_WEBGPU_BACKEND: "vulkan,dx12", DENO_WEBGPU_DX12_COMPILER: "auto" },
    darwin: { DENO_WEBGPU_BACKEND: "metal" },
  };
  return Object.fromEntries(Object.entries(wanted[os] ?? {}).filter(([name]) => !env[name]));
}

/** Folders in which Vulkan's loader looks for the manifests of drivers, one file each; none where it asks a registry. */
export function vulkanManifestFolders(platform: Platform = HERE): string[] {
  const { os, env } = platform;
  if (os !== "linux") return [];
  const { join } = pathsOf(platform);
  const home = (name: string, ...parts: string[]) =>
    env[name] ?? (env.HOME && join(env.HOME, ...parts));
  const system = [
    ...(env.XDG_CONFIG_DIRS ?? "/etc/xdg").split(":"),
    ...["/etc", "/usr/local/etc"],
    ...(env.XDG_DATA_DIRS ?? "/usr/local/share:/usr/share").split(":"),
  ];
  return [home("XDG_CONFIG_HOME", ".config"), ...system, home("XDG_DATA_HOME", ".local", "share")]
    .filter((folder) => !!folder).map((folder) => join(folder!, "vulkan", "icd.d"));
}
