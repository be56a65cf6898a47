/** What differs between systems, on all of them. */
import assert from "node:assert/strict";
import {
  cacheFolder,
  endingSignals,
  folderOf,
  type Platform,
  systemLibrary,
  temporaryFolder,
  vulkanManifestFolders,
  webgpuEnvironment,
} from "../../lib/io/platform.ts";

const system = (
  os: Platform["os"],
  env: Platform["env"] = {},
  rest: Partial<Platform> = {},
): Platform => ({ os, env, uid: 1000, temporary: "/tmp", ...rest });

const WINDOWS = { uid: null, temporary: "C:\\Users\\a\\AppData\\Local\\Temp" };

Deno.test("cacheFolder() follows the custom of each system", () => {
  const local = "C:\\Users\\a\\AppData\\Local";
  const cases: [Platform["os"], Platform["env"], string | undefined][] = [
    ["linux", { HOME: "/home/a" }, "/home/a/.cache/hatchling"],
    ["linux", { HOME: "/home/a", XDG_CACHE_HOME: "/c" }, "/c/hatchling"],
    ["linux", { HOME: "/home/a", XDG_CACHE_HOME: "c" }, "/home/a/.cache/hatchling"],
    ["linux", {}, undefined],
    ["freebsd", { HOME: "/home/a" }, "/home/a/.cache/hatchling"],
    ["darwin", { HOME: "/Users/a", XDG_CACHE_HOME: "/c" }, "/Users/a/Library/Caches/hatchling"],
    ["darwin", {}, undefined],
    ["windows", { LOCALAPPDATA: local, HOME: "/home/a" }, `${local}\\hatchling`],
    ["windows", { HOME: "C:\\Users\\a" }, undefined],
    ["linux", { HOME: "/home/a", HATCHLING_CACHE: "/mine" }, "/mine"],
    ["windows", { LOCALAPPDATA: local, HATCHLING_CACHE: "D:\\mine" }, "D:\\mine"],
  ];
  for (const [os, env, expected] of cases) {
    assert.equal(cacheFolder(system(os, env)), expected, JSON.stringify([os, env]));
  }
});

Deno.test("temporaryFolder() is this user's", () => {
  assert.equal(temporaryFolder(system("linux")), "/tmp/hatchling-1000");
  assert.equal(
    temporaryFolder(system("windows", {}, WINDOWS)),
    "C:\\Users\\a\\AppData\\Local\\Temp\\hatchling-cache",
  );
});

Deno.test("folderOf() cuts where the system does", () => {
  const [linux, windows] = [{ os: "linux" }, { os: "windows" }] as const;
  for (const os of [linux, windows]) {
    assert.equal(folderOf("a/b/c.yaml", os), "a/b");
    assert.equal(folderOf("c.yaml", os), ".");
    assert.equal(folderOf("/c.yaml", os), "/");
  }
  assert.equal(folderOf("a\\b.yaml", linux), ".");
  assert.equal(folderOf("C:\\a\\b.yaml", windows), "C:\\a");
  assert.equal(folderOf("C:\\b.yaml", windows), "C:\\");
});

Deno.test("endingSignals() and systemLibrary() name what there is", () => {
  assert.deepEqual(endingSignals({ os: "linux" }), { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 });
  assert.deepEqual(endingSignals({ os: "windows" }), { SIGHUP: 1, SIGINT: 2 });
  const libraries = (["windows", "darwin", "linux", "freebsd"] as const)
    .map((os) => systemLibrary({ os }));
  assert.deepEqual(libraries, ["kernel32.dll", "libSystem.dylib", "libc.so.6", "libc.so"]);
});

Deno.test("webgpuEnvironment() chooses a backend and a compiler where none is set", () => {
  assert.deepEqual(webgpuEnvironment(system("linux")), {
    DENO_WEBGPU_BACKEND: "vulkan",
    XDG_RUNTIME_DIR: "/tmp",
  });
  assert.deepEqual(
    webgpuEnvironment(system("linux", { DENO_WEBGPU_BACKEND: "gl", XDG_RUNTIME_DIR: "/run" })),
    {},
  );
  assert.deepEqual(webgpuEnvironment(system("windows", {}, WINDOWS)), {
    DENO_WEBGPU_BACKEND: "vulkan,dx12",
    DENO_WEBGPU_DX12_COMPILER: "auto",
  });
  assert.deepEqual(
    webgpuEnvironment(system("windows", { DENO_WEBGPU_DX12_COMPILER: "fxc" }, WINDOWS)),
    { DENO_WEBGPU_BACKEND: "vulkan,dx12" },
  );
  assert.deepEqual(webgpuEnvironment(system("darwin")), { DENO_WEBGPU_BACKEND: "metal" });
  assert.deepEqual(webgpuEnvironment(system("freebsd")), {});
});

Deno.test("vulkanManifestFolders() are where the loader looks", () => {
  assert.deepEqual(vulkanManifestFolders(system("linux", { HOME: "/home/a" })), [
    "/home/a/.config/vulkan/icd.d",
    "/etc/xdg/vulkan/icd.d",
    "/etc/vulkan/icd.d",
    "/usr/local/etc/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
    "/usr/share/vulkan/icd.d",
    "/home/a/.local/share/vulkan/icd.d",
  ]);
  const set = { XDG_CONFIG_DIRS: "/x:/y", XDG_DATA_DIRS: "/z" };
  assert.deepEqual(
    vulkanManifestFolders(system("linux", set)),
    ["/x", "/y", "/etc", "/usr/local/etc", "/z"].map((folder) => `${folder}/vulkan/icd.d`),
  );
  for (const os of ["windows", "darwin"] as const) {
    assert.deepEqual(vulkanManifestFolders(system(os, { HOME: "/home/a" })), []);
  }
});
