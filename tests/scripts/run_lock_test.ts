/** Who may write to a folder, where a process that has ended is slow to let go. */
import assert from "node:assert/strict";
import { readProc } from "../../lib/io/proc.ts";
import { lockFolder } from "../../scripts/train/run_lock.ts";
import { lacks, testUnless, withFolder } from "../support/permissions.ts";
import { path } from "../support/runs.ts";
import { HANG_MS } from "../support/hang.ts";

/** Starts a process that has locked a folder and ended its main thread; the others end so many milliseconds later. */
async function dying(folder: string, ms: number): Promise<Deno.ChildProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", path("tests/support/zombie_child.ts"), folder, String(ms)],
    stdout: "piped",
    signal: AbortSignal.timeout(HANG_MS),
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  // It has said that its main thread is about to end; on a busy machine that takes its time.
  const deadline = performance.now() + 30_000;
  while (!/\) [ZX]/.test(readProc(`/proc/${child.pid}/stat`) ?? ") X")) {
    assert.ok(performance.now() < deadline, "its main thread did not end");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return child;
}

const isLinux = Deno.build.os === "linux" && ["x86_64", "aarch64"].includes(Deno.build.arch);

testUnless(
  [lacks("run", "read", "write", "env", "ffi"), isLinux ? "" : "needs Linux"],
  "the lock of a process that has ended is waited for, that of one which lives is not",
  () =>
    withFolder(async (folder) => {
      const child = await dying(folder, 2000);
      const lock = await lockFolder(folder);
      assert.equal((await child.status).code, 0);
      const words = new RegExp(`belongs to process ${Deno.pid}, since`);
      await assert.rejects(lockFolder(folder), words);
      await lock.release();
    }),
);
