/** What `setup` gets when nothing is named: what the commands would look for. Downloads its packages once. */
import assert from "node:assert/strict";
import { folderTest } from "../support/permissions.ts";
import { script } from "../support/scripts.ts";

/** No driver of the system is seen. */
const NONE = "/nonexistent/driver.json";

// Elsewhere no variable hides the driver of the system, and SwiftShader does not run.
if (Deno.build.os === "linux" && Deno.build.arch === "x86_64") {
  const cases: [string, Record<string, string>, RegExp, RegExp][] = [
    ["swiftshader", {}, /^emoji: .*\nswiftshader: .*\n$/, /^(?!.*note:)/],
    ["auto", { VK_DRIVER_FILES: NONE, VK_ICD_FILENAMES: NONE }, /\nswiftshader: /, /^(?!.*note:)/],
    ["system", { VK_DRIVER_FILES: NONE, VK_ICD_FILENAMES: NONE }, /^emoji: .*\n$/, /^note: .*none/],
  ];
  for (const [HATCHLING_ADAPTER, env, prints, says] of cases) {
    folderTest(
      `setup prepares what HATCHLING_ADAPTER=${HATCHLING_ADAPTER} needs${
        env.VK_DRIVER_FILES ? " where there is no driver" : ""
      }`,
      async (folder) => {
        const all = { HATCHLING_ADAPTER, HATCHLING_CACHE: `${folder}/cache`, ...env };
        const { code, stdout, stderr } = await script("setup", folder, [], all);
        assert.equal(code, 0, stderr);
        assert.match(stdout, prints);
        assert.match(stderr, says);
      },
      ["run", "env"],
    );
  }
}

folderTest("setup refuses a HATCHLING_ADAPTER that is none", async (folder) => {
  const { code, stderr } = await script("setup", folder, [], { HATCHLING_ADAPTER: "cuda" });
  assert.equal(code, 1);
  assert.match(stderr, /^error: Expected HATCHLING_ADAPTER to be .* but found "cuda"/);
}, ["run", "env"]);
