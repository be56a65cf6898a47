/** What `deno task build` puts into a program, and what it says where it cannot. */
import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path/posix";
import { COMMANDS } from "../../scripts/hatchling/commands.ts";
import { checkProgram } from "../../scripts/build/check.ts";
import { compile, explain } from "../../scripts/build/compile.ts";
import { FOLDERS, ROOT, workers } from "../../scripts/build/includes.ts";
import { embeddedIn } from "../support/embedded.ts";
import { folderTest, permissionTest } from "../support/permissions.ts";

Deno.test("a missing runtime is said with what to do; other failures are passed on", () => {
  const said = `Compile a.ts to a
Download https://dl.deno.land/release/v2.9.6/denort-x86_64-apple-darwin.zip
error: Writing deno compile executable to temporary file 'a.tmp'

Caused by:
    0: Setting up base binary.
    1: client error (Connect): dns error
    2: Name or service not known

Stack backtrace:
   0: <unknown>
`;
  const missing = explain(said, "x86_64-apple-darwin");
  assert.match(missing, /denort \S+ for x86_64-apple-darwin.*: Name or service not known\. /);
  assert.match(missing, /unpack denort-x86_64-apple-darwin\.zip .* set DENORT_BIN/);
  assert.equal(
    explain("error: Module not found\n    at a.ts"),
    "Expected deno compile to make a program but: Module not found",
  );
});

permissionTest(["read"], "threads are found by their names", async () => {
  const found = await workers();
  for (const name of ["lib/data/decode_worker.ts", "scripts/train/guard_worker.ts"]) {
    assert.ok(found.includes(name), name);
  }
  assert.ok(!found.some((path) => path.startsWith("scripts/demo/")));
});

/** All that a module reaches by relative imports, and by URLs of its own; with the code of modules. */
async function reached(path: string, seen: Map<string, string>): Promise<void> {
  if (seen.has(path)) return;
  seen.set(path, "");
  if (!path.endsWith(".ts")) return;
  const code = (await Deno.readTextFile(join(ROOT, path)))
    .replace(/^\s*\/\*[^]*?\*\//gm, "").replace(/^\s*\/\/.*$/gm, "");
  seen.set(path, code);
  const patterns = [
    /^(?:import|export)\s(?!type\b)(?:[^;"']*?\sfrom\s+)?"(\.[^"]+)"/gm,
    /\bimport\(\s*"(\.[^"]+)"\s*\)/g,
    /\bnew URL\(\s*"(\.[^"]*)"/g,
  ];
  for (const pattern of patterns) {
    for (const [, specifier] of code.matchAll(pattern)) {
      await reached(normalize(join(dirname(path), specifier)), seen);
    }
  }
}

folderTest(
  "all that commands import, start or read lies in the program",
  async (folder) => {
    // Deno itself stands for the runtime: the result does not run, but what is in it is told.
    const out = join(folder, "hatchling");
    const said = await compile({ out, denort: Deno.execPath(), limitMs: 180_000 });
    const holds = embeddedIn(said);

    const modules = new Map<string, string>();
    await reached("scripts/hatchling.ts", modules);
    assert.ok(modules.size > 400, `only ${modules.size} modules were found`);
    const lacking = [...modules.keys()].filter((path) => path !== "./" && !holds(path));
    assert.deepEqual(lacking, []);
    for (const name of ["scripts/demo/main.ts", "mod.ts", "tests/structure_test.ts", "bench"]) {
      assert.ok(!holds(name), `${name} is in it too`);
    }
    for (const path of [...FOLDERS, "kernels/flag.wgsl", "scripts/search/main.ts"]) {
      assert.ok(holds(path), path);
    }

    const packages = new Set<string>();
    for (const code of modules.values()) {
      for (
        const [, type, name, version] of code.matchAll(
          /(import type [^;]*)?"npm:((?:@[\w-]+\/)?[\w-]+)@([\d.]+)[/"]/g,
        )
      ) if (!type) packages.add(`${name}/${version}`);
    }
    assert.ok(packages.size >= 10, [...packages].join());
    for (const name of packages) {
      assert.ok(holds(`.deno_compile_node_modules/localhost/${name}`), name);
    }

    // It is no program, and that is noticed.
    await assert.rejects(checkProgram(out), /to tell version .* but found "deno .*DENORT_BIN/);
  },
  ["run", "env"],
);

Deno.test("every command is loaded by an import that a compiler can see", () => {
  for (const [name, { load }] of Object.entries(COMMANDS)) {
    assert.match(String(load), /^\(\)=>import\("\.\.\/\w+\/\w+\.ts"\)$/, name);
  }
});
