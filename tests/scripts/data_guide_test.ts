/** What docs/guides/data.md says beside its TypeScript, which `deno test --doc` runs. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import deno from "../../deno.json" with { type: "json" };
import guide from "../../docs/guides/data.md" with { type: "text" };
import { parseConfig, parseOverrides } from "../../lib/config.ts";
import { sections } from "../../lib/config/describe.ts";
import { readArguments } from "../../scripts/data/arguments.ts";
import { lacks, testUnless, withFolder } from "../support/permissions.ts";
import { HANG_MS } from "../support/hang.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Code blocks of a language. */
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, code]) =>
    code
  );

const noShell = Deno.build.os === "windows" ? "needs a POSIX shell" : "";

testUnless(
  [lacks("run", "read", "write", "env"), noShell],
  "the guide's commands print what it shows",
  () =>
    withFolder(async (folder) => {
      await Deno.symlink(`${ROOT}tests`, `${folder}/tests`);
      const sh = async (script: string) => {
        const { stdout } = await new Deno.Command("sh", {
          args: ["-c", script],
          cwd: folder,
          env: { NO_COLOR: "1", HATCHLING_CACHE: `${folder}/cache` },
          signal: AbortSignal.timeout(HANG_MS),
        }).output();
        return new TextDecoder().decode(stdout);
      };
      const task = `'${Deno.execPath()}' run --quiet -A '${ROOT}scripts/data.ts'`;
      const [check, stats] = blocks("sh").map((text) => text.replace("deno task data", task));
      const [checked, measured, skipped] = blocks("text");
      assert.equal(await sh(check), checked);
      assert.equal(await sh(stats), measured);
      const { damaged } = JSON.parse(await sh(`${task} check photos --json`));
      assert.deepEqual(damaged, [JSON.parse(skipped)]);
    }),
);

Deno.test("the guide's YAML is configuration, and its commands and keys exist", () => {
  assert.equal(blocks("yaml").length, 3);
  for (const yaml of blocks("yaml")) parseConfig(yaml);
  const commands = blocks("sh").flatMap((text) => text.split("\n"))
    .filter((line) => line.startsWith("deno task data "));
  assert.equal(commands.length, 3);
  assert.ok("data" in deno.tasks);
  const keys = sections().flatMap((section) => section.keys.map(({ path }) => path));
  const areas = sections().map(({ name }) => name).join("|");
  const named = [...guide.matchAll(new RegExp(`\`((?:${areas})\\.\\w+)`, "g"))].map(([, key]) =>
    key
  );
  assert.ok(named.length >= 10);
  for (const key of named) assert.ok(keys.includes(key), `no key ${key}`);
  for (const [, options] of guide.matchAll(/`((?:--[\w.]+ \w+ ?)+)`/g)) {
    const { overrides } = parseOverrides(options.split(" "));
    parseConfig("{}", { overrides });
  }
});

testUnless([lacks("read")], "the guide's preview has arguments that are read", async () => {
  const line = blocks("sh").at(-1)!.trim().split(" ").slice(3);
  const asked = await readArguments(
    line.map((word) => word.replace("configs/", `${ROOT}configs/`)),
  );
  assert.ok(asked?.command === "preview");
  assert.deepEqual([asked.images, asked.epochs, asked.out], [4, 3, undefined]);
  assert.equal(asked.config.data.path, "photos");
  await assert.rejects(
    readArguments([...line.slice(0, 1), "--images", "101"]),
    /at most 200 .* 101 × 2/,
  );
});
