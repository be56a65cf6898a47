/** `deno test` as a stranger types it: without a flag and, here, without an adapter. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { permissionTest } from "./support/permissions.ts";

// Elsewhere, no variable hides the driver of the system.
if (Deno.build.os === "linux") {
  permissionTest(["run", "read"], "every test passes or says why it cannot run", async () => {
    const none = "/nonexistent/driver.json";
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "--no-check", "tests/"], // checked when this file was
      cwd: fileURLToPath(new URL("..", import.meta.url)),
      env: {
        VK_DRIVER_FILES: none,
        VK_ICD_FILENAMES: none,
        DENO_WEBGPU_BACKEND: "vulkan",
        NO_COLOR: "1",
      },
      stdin: "null",
      signal: AbortSignal.timeout(480_000),
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const report = text(stdout);
    assert.equal(code, 0, report.slice(report.indexOf(" ERRORS ")) + text(stderr));
    const ignored = report.match(/^.* \.\.\. ignored .*$/gm) ?? [];
    const unexplained = ignored.filter((line) => !/\(ignored: \w.*\) \.\.\./.test(line));
    assert.deepEqual(unexplained, []);
    // Tests of both kinds were there: those with a GPU, and those with a permission.
    assert.ok(ignored.some((line) => line.includes("(ignored: no WebGPU adapter here)")));
    assert.ok(ignored.some((line) => line.includes("(ignored: needs --allow-")));
    assert.match(report, /^ok \| [1-9]\d* passed/m);
  });
}
