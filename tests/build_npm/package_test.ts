/** The package for npm as `deno task build:npm` makes it; on Node and Bun, tests/support/npm/main.ts runs it. */
import assert from "node:assert/strict";
import deno from "../../deno.json" with { type: "json" };
import { installTools, ROOT } from "../../scripts/common/bundle/tools.ts";
import { packagedSource } from "../../scripts/common/bundle/plugins.ts";
import { lacks, testUnless, withFolder } from "../support/permissions.ts";
import { HANG_MS } from "../support/hang.ts";

const missing = lacks("read", "write", "run", "env", "net", "sys");
const tools = missing ||
  await installTools(`${ROOT}dist/tools`).then(() => "", (error) => error.message);

testUnless(
  [tools],
  "the package is built, and its parts cost pages no more than they may",
  () =>
    withFolder(async (folder) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["task", "build:npm", "--no-types", "--out", folder],
        cwd: ROOT,
        env: { NO_COLOR: "1" },
        signal: AbortSignal.timeout(HANG_MS),
      }).output();
      const [said, complaint] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      assert.equal(code, 0, complaint);
      const { PARTS } = await import("../../scripts/build_npm/sizes.ts"); // esbuild asks for permissions
      assert.equal(said.match(/^a page with .*: [\d.]+ kB/gm)?.length, Object.keys(PARTS).length);

      const manifest = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
      const { name, version, license, dependencies = {} } = manifest;
      assert.deepEqual([name, version, license], [deno.name, deno.version, deno.license]);
      assert.deepEqual(dependencies, {});
      const files: string[] = [];
      for (const found of Object.values<{ default?: string }>(manifest.exports)) {
        if (found.default) files.push(found.default);
      }
      assert.ok(files.length > 15 && files.includes("./lib/node.js"));
      for (const file of files) assert.ok((await Deno.stat(`${folder}/${file}`)).isFile, file);

      // Nothing but itself: pages load it as it is. No path of this machine.
      const imports =
        /^\s*(?:import|export)[^"'`;]*from\s*["']([^"']+)|\bimport\(\s*["']([^"']+)/gm;
      for await (const { name } of Deno.readDir(`${folder}/lib`)) {
        if (!name.endsWith(".js")) continue;
        const text = await Deno.readTextFile(`${folder}/lib/${name}`);
        assert.ok(!text.includes(ROOT) && !text.includes(folder), name);
        for (const found of text.matchAll(imports)) {
          const specifier = found[1] ?? found[2];
          assert.match(specifier, /^\.\/[\w-]+\.js$/, `in ${name}`);
        }
      }
    }),
);

Deno.test("the library's text gets what Node lacks, line by line", () => {
  const text =
    'const K = defineKernel("k", code);\nconst g = Map.groupBy(a, of);\nDeno.stat("x");\n';
  const [first, second, third] = packagedSource(text).split("\n");
  assert.match(
    first,
    /^import \{ Deno, groupBy \} from ".*"; const K = \/\* @__PURE__ \*\/ defineKernel/,
  );
  assert.deepEqual([second, third], ["const g = groupBy(a, of);", 'Deno.stat("x");']);
  assert.equal(packagedSource("const a = 1;\n"), "const a = 1;\n");
});
