/** printJson() of scripts/common/terminal.ts, in a process of its own. */
import assert from "node:assert/strict";
import { permissionTest } from "../support/permissions.ts";
import { path } from "../support/runs.ts";
import { HANG_MS } from "../support/hang.ts";

permissionTest(["run", "read"], "printJson() gives JSON that no terminal obeys", async () => {
  const value = { 'a\x1b"\n\t\x7f\x9b2J': ["\u202e", "\u2028", "ä", "\\x9b", 1.5] };
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { printJson } from ${JSON.stringify(`file://${path("scripts/common/terminal.ts")}`)};
      printJson(JSON.parse(Deno.args[0]));`,
      "--",
      JSON.stringify(value),
    ],
    stderr: "null",
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(text), value);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]/);
});
