/** Several adapters of one machine: found, listed, chosen. */
import assert from "node:assert/strict";
import {
  adapterLines,
  type AdapterRoute,
  adapterRoutes,
  listAdapters,
} from "../../lib/adapter/list.ts";
import { vulkanManifests } from "../../lib/adapter/manifests.ts";
import { adapterNamed } from "../../lib/adapter/open.ts";
import type { ProbedAdapter } from "../../lib/adapter/probe.ts";
import type { Platform } from "../../lib/io/platform.ts";
import { lacksAdapter } from "../support/gpu.ts";
import { folderTest, lacks, testUnless } from "../support/permissions.ts";
import { HANG_MS } from "../support/hang.ts";

const system = (os: Platform["os"], env: Platform["env"] = {}): Platform => (
  { os, env, uid: 1000, temporary: "/tmp" }
);
const gpu = (description: string, vendor = "4318"): ProbedAdapter => (
  { description, vendor, device: description, isCpu: false }
);
const FAST = gpu("GeForce RTX 4090"), SLOW = gpu("Intel(R) UHD 770", "32902");
const CPU = { ...gpu("llvmpipe (LLVM 15.0.6, 256 bits)", "65541"), isCpu: true };

/** What a machine with two GPUs and a CPU's driver answers. */
function answer({ request: { powerPreference, forceFallbackAdapter } }: AdapterRoute) {
  return forceFallbackAdapter ? CPU : powerPreference === "low-power" ? SLOW : FAST;
}

Deno.test("adapterRoutes() asks every driver on Linux, every interface on Windows", () => {
  const linux = adapterRoutes(system("linux"), ["/v/intel.json", "/v/lvp.json"]);
  assert.deepEqual(linux.map(({ environment }) => environment.VK_DRIVER_FILES), [
    ...[undefined, undefined, undefined],
    // A CPU's driver stands behind one that may have no hardware.
    "/v/intel.json:/v/lvp.json",
    "/v/lvp.json",
  ]);
  for (const { environment: e } of linux) assert.equal(e.VK_ICD_FILENAMES, e.VK_DRIVER_FILES);
  const windows = adapterRoutes(system("windows", { DENO_WEBGPU_BACKEND: "vulkan,dx12" }), []);
  const backends = windows.map(({ environment }) => environment.DENO_WEBGPU_BACKEND);
  const three = (name?: string) => [name, name, name];
  assert.deepEqual(backends, [...three(), ...three("vulkan"), ...three("dx12")]);
  assert.equal(adapterRoutes(system("windows", { DENO_WEBGPU_BACKEND: "dx12" }), []).length, 3);
  assert.equal(adapterRoutes(system("darwin"), []).length, 3);
});

folderTest(
  "vulkanManifests() are those of the loader, or those that the environment names",
  async (folder) => {
    await Deno.mkdir(`${folder}/vulkan/icd.d`, { recursive: true });
    for (const name of ["radeon.json", "intel.json", "README"]) {
      await Deno.writeTextFile(`${folder}/vulkan/icd.d/${name}`, "");
    }
    const env = { XDG_DATA_DIRS: folder, XDG_CONFIG_DIRS: `${folder}/none` };
    const found = vulkanManifests(system("linux", env)).filter((path) => path.startsWith(folder));
    assert.deepEqual(
      found,
      ["intel.json", "radeon.json"].map((n) => `${folder}/vulkan/icd.d/${n}`),
    );
    assert.deepEqual(vulkanManifests(system("linux", { ...env, VK_ICD_FILENAMES: "/a:/b" })), [
      "/a",
      "/b",
    ]);
    assert.deepEqual(vulkanManifests(system("darwin", env)), []);
  },
);

Deno.test("listAdapters() lists each once, the usual one first", async () => {
  const ask = (route: AdapterRoute) => Promise.resolve(answer(route));
  const listed = await listAdapters(
    ask,
    system("linux", { VK_DRIVER_FILES: "/v/a.json:/v/b.json" }),
  );
  assert.deepEqual(adapterLines(listed), [
    "0: GeForce RTX 4090",
    "1: Intel(R) UHD 770",
    "2: llvmpipe (LLVM 15.0.6, 256 bits), a CPU",
  ]);
  assert.deepEqual(await listAdapters(() => Promise.resolve(undefined), system("darwin")), []);
});

Deno.test("listAdapters() tells interfaces apart on Windows", async () => {
  // The usual request is answered through Vulkan; DirectX has the same GPUs, and a CPU of its own.
  const ask = (route: AdapterRoute) => {
    const dx12 = route.environment.DENO_WEBGPU_BACKEND === "dx12";
    if (!route.request.forceFallbackAdapter) return Promise.resolve(answer(route));
    return Promise.resolve(dx12 ? { ...CPU, description: "Basic Render Driver" } : undefined);
  };
  const windows = system("windows", { DENO_WEBGPU_BACKEND: "vulkan,dx12" });
  const listed = await listAdapters(ask, windows);
  assert.deepEqual(adapterLines(listed), [
    "0: GeForce RTX 4090, vulkan",
    "1: Intel(R) UHD 770, vulkan",
    "2: GeForce RTX 4090, dx12",
    "3: Intel(R) UHD 770, dx12",
    "4: Basic Render Driver, dx12, a CPU",
  ]);
  assert.equal(adapterNamed(listed, "dx12"), listed[2]);
  assert.deepEqual(listed[0].environment, { DENO_WEBGPU_BACKEND: "vulkan" });
});

testUnless(
  [],
  "adapterNamed() takes a number, or a part of the name; else it lists them",
  async () => {
    const listed = await listAdapters((r) => Promise.resolve(answer(r)), system("darwin"));
    assert.equal(adapterNamed(listed, "1").description, SLOW.description);
    assert.equal(adapterNamed(listed, "rtx").description, FAST.description);
    assert.equal(adapterNamed(listed, "LLVM").description, CPU.description);
    for (const wanted of ["3", "radeon", "-1", "1.0"]) {
      assert.throws(() => adapterNamed(listed, wanted), (error: Error) => {
        assert.match(
          error.message,
          /^device\.adapter: expected the number of an adapter of this machine/,
        );
        assert.ok(
          error.message.includes(`found ${wanted}. There are:\n  0: GeForce RTX 4090\n  1: Int`),
        );
        return true;
      });
    }
    assert.throws(() => adapterNamed([], "0"), /There is none here$/);
  },
);

// In a process of its own, as the environment is that of all threads.
testUnless(
  [lacksAdapter, lacks("run")],
  "chosenAdapter() gives those that are listed",
  async () => {
    const url = new URL("../../lib/adapter.ts", import.meta.url).href;
    const program = `
    const { adapterLines, chosenAdapter, ensureAdapter, listAdapters } = await import(${
      JSON.stringify(url)
    });
    await ensureAdapter({ log() {} });
    const environment = () => JSON.stringify(Object.entries(Deno.env.toObject()).sort());
    const before = environment();
    const listed = await listAdapters();
    const same = environment() === before;
    const error = await chosenAdapter("no such adapter").catch((error) => error.message);
    const wanted = String(listed.length - 1);
    const { info: { description } } = await chosenAdapter(wanted);
    console.log(JSON.stringify({ lines: adapterLines(listed), same, error, description }));`;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", program],
      signal: AbortSignal.timeout(HANG_MS),
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const { lines, same, error, description } = JSON.parse(new TextDecoder().decode(stdout));
    assert.equal(same, true, "the environment is as it was");
    assert.ok(
      error.endsWith(`There are:${lines.map((line: string) => `\n  ${line}`).join("")}`),
      error,
    );
    assert.ok(
      lines.at(-1).startsWith(`${lines.length - 1}: ${description}`),
      `${lines}, ${description}`,
    );
  },
);
