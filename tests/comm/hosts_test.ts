/** Ranks on several hosts, which network namespaces stand for: bench/netns.ts makes them. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { lacks, testUnless } from "../support/permissions.ts";
import { HANG_MS } from "../support/hang.ts";

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

async function run(program: string, ...args: string[]) {
  const child = new Deno.Command(program, {
    args,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(HANG_MS),
  }).spawn();
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr), pid: child.pid };
}

/** Why there can be no hosts here; "" when there can. */
function lacksHosts(): string {
  const reason = lacks("read", "run", "sys");
  if (reason) return reason;
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "needs root on Linux";
  try {
    const name = `hatchling-try-${Deno.pid}`;
    for (const what of ["add", "delete"]) {
      if (!new Deno.Command("ip", { args: ["netns", what, name] }).outputSync().success) {
        return "needs network namespaces";
      }
    }
    const { stdout } = new Deno.Command("mpirun", { args: ["--version"], stderr: "null" })
      .outputSync();
    return new TextDecoder().decode(stdout).includes("Open MPI") ? "" : "mpirun is not OpenMPI's";
  } catch {
    return "needs iproute2 and mpirun of OpenMPI";
  }
}

const child = [Deno.execPath(), "run", "--no-prompt", "--no-check", "--allow-env", "--allow-ffi"];
const hosts = (...args: string[]) =>
  run(Deno.execPath(), "run", "-A", path("bench/netns.ts"), ...args);

/** Whether what a process made is there no more. */
async function assertGone(pid: number): Promise<void> {
  const { stdout } = await run("ip", "netns");
  assert.ok(!stdout.includes(`hatchling-${pid}-`), stdout);
}

testUnless(
  [lacksHosts()],
  "ranks of two hosts add up over TCP; nothing of them stays",
  async () => {
    const ranks = [...child, path("tests/support/comm_child.ts"), "sums"];
    const { code, stdout, stderr, pid } = await hosts(
      "--rate",
      "1gbit",
      "--delay",
      "1ms",
      "--",
      ...ranks,
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^2 hosts, 1gbit, 1ms from one to another, by (netem|a process)$/m);
    const { bits, worst } = JSON.parse(stdout.split("\n").find((line) => line.startsWith("{"))!);
    assert.deepEqual([bits.length, new Set(bits).size], [2, 1]);
    assert.ok(worst <= 1, `${worst} of the bound`);
    await assertGone(pid);
  },
);

testUnless(
  [lacksHosts()],
  "each rank is on a host of its own, and its status is the command's",
  async () => {
    const named = await hosts("--hosts", "3", "--", "hostname");
    assert.deepEqual(named.stdout.trim().split("\n").sort(), ["host-1", "host-2", "host-3"]);
    const failed = await hosts("--", "sh", "-c", "exit 7");
    assert.equal(failed.code, 7);
    const wrong = await hosts("--rate", "10foo", "--", "true");
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stderr,
      /error: Expected `ip .* tbf rate 10foo .*` to work but it said: tbf: ill/,
    );
    for (const { pid } of [named, failed, wrong]) await assertGone(pid);
  },
);
