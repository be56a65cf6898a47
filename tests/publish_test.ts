/** What `deno publish` would give JSR: the library, with types that are told rather than inferred. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { permissionTest } from "./support/permissions.ts";
import { HANG_MS } from "./support/hang.ts";

permissionTest(["run", "read"], "deno publish takes the library and finds no fault", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty", "--no-check"], // types are checked elsewhere
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  const said = new TextDecoder().decode(stderr);
  assert.equal(code, 0, said);
  // Modules of data sets are the user's own, so nobody can know their names beforehand.
  const warnings = said.match(/^warning\[.*\n.*$/gm) ?? [];
  assert.ok(
    warnings.every((line) => /unanalyzable.*\n.*lib\/(data\/module_dataset|node)\.ts/.test(line)),
    warnings.join("\n"),
  );
  const files = [...said.matchAll(/^ *file:\S*?\/((?:lib|kernels)\/\S+|[\w.]+) \(/gm)]
    .map(([, file]) => file);
  assert.ok(files.length > 300, `${files.length} files`);
  for (const file of files) {
    assert.match(
      file,
      /^(lib\/(?!report).*\.(ts|css)|kernels\/.*\.wgsl|mod\.ts|deno\.json|[A-Z]+(\.md)?)$/,
    );
  }
});
