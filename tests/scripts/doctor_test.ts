import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const states = await Promise.all(
  (["run", "read", "env", "ffi"] as const).map((name) => Deno.permissions.query({ name })),
);
const allowed = states.every(({ state }) => state === "granted");
const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });

async function doctor(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      fileURLToPath(new URL("../../scripts/doctor.ts", import.meta.url)),
      ...args,
    ],
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(60_000),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

for (const limits of ["adapter", "portable"]) {
  Deno.test({
    name: `doctor names the device and finds the product right with --limits ${limits}`,
    ignore: !allowed || !adapter,
    fn: async () => {
      const { code, stdout, stderr } = await doctor("--limits", limits);
      assert.equal(code, 0, stderr);
      assert.ok(stdout.includes(`Deno               ${Deno.version.deno},`), stdout);
      assert.ok(stdout.includes(adapter!.info.description), stdout);
      assert.match(stdout, /^matmul 65×127×33 +ok,/m);
      const expected = limits === "portable" ? "256 invocations" : " invocations";
      assert.match(stdout, new RegExp(`^workgroup .*${expected}`, "m"));
    },
  });
}

Deno.test({
  name: "doctor suggests the option when one is misspelt",
  ignore: !allowed,
  fn: async () => {
    const { code, stderr } = await doctor("--limit", "portable");
    assert.equal(code, 1);
    assert.match(stderr, /unknown option '--limit'\n\(Did you mean --limits\?\)/);
  },
});
