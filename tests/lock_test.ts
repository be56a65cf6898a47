/** The lock files are complete: no command writes them. */
import assert from "node:assert/strict";
import bench from "../bench/deno.lock" with { type: "text" };
import deno from "../deno.json" with { type: "json" };
import root from "../deno.lock" with { type: "text" };

/** Packages of deno.json, without the paths within them. */
const PACKAGES = Object.values(deno.imports)
  .map((specifier) => specifier.match(/^npm:(@[^/]+\/)?[^/]+/)![0]).sort();

for (const [name, text] of Object.entries({ "deno.lock": root, "bench/deno.lock": bench })) {
  Deno.test(`${name} knows the packages of deno.json`, () => {
    const { workspace } = JSON.parse(text);
    assert.deepEqual(
      workspace,
      { dependencies: PACKAGES },
      `run: deno cache --lock=${name} bench/main.ts bench/loading.ts`,
    );
  });
}

Deno.test("no benchmark changes its lock file", () => {
  const tasks = Object.entries(deno.tasks).filter(([, task]) => task.includes("--lock="));
  assert.ok(tasks.length >= 2);
  for (const [name, task] of tasks) assert.match(task, /--frozen /, name);
});
