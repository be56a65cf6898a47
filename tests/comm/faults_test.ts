/** Ranks that are killed, stopped, busy or slow to close, under OpenMPI's mpirun. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  BEAT_MS,
  LOOK_MS,
  readSender,
  Silence,
  whySilent,
  writeBeat,
} from "../../lib/comm/heartbeat_shared.ts";
import { SILENCE_MS } from "../../lib/comm/open.ts";
import { type Ended, gone, type Job, ranksTest, startRanks } from "../support/mpirun.ts";

const CHILD = fileURLToPath(new URL("../support/fault_child.ts", import.meta.url));

function start(scenario: string, silenceMs = 6000): Job {
  // A worker needs permission to read its module.
  return startRanks(3, [
    ...["--allow-env", "--allow-ffi", "--allow-read", "--allow-run"],
    CHILD,
    scenario,
    String(silenceMs),
  ]);
}

/** Sends a signal to a rank as soon as all have begun. */
async function strike(
  scenario: string,
  rank: number,
  signal: Deno.Signal,
): Promise<Ended & { pid: number }> {
  const job = start(scenario);
  const pids = await Promise.all([0, 1, 2].map(async (rank) => {
    const [, pid] = await job.printed(new RegExp(`^rank ${rank} is process (\\d+)$`, "m"));
    return Number(pid);
  }));
  Deno.kill(pids[rank], signal);
  const ended = await job.ended;
  await gone(pids);
  return { ...ended, pid: pids[rank] };
}

ranksTest("a rank that is killed ends all, and mpirun says which", async () => {
  const { code, stderr } = await strike("works", 1, "SIGKILL");
  assert.equal(code, 137, stderr);
  assert.match(stderr, /process rank 1 with PID \d+ on node \S+ exited on signal 9/);
});

for (const rank of [0, 1]) {
  ranksTest(`a stop of rank ${rank} ends all, and it is said why`, async () => {
    const { code, stderr, pid } = await strike("works", rank, "SIGSTOP");
    assert.equal(code, 1, stderr);
    const words = `error: Expected a sign of life of rank ${rank} on \\S+ every second but rank ` +
      `${rank + 1} of 3 on \\S+ has had none for 6 s: its process ${pid} is stopped \\(SIGSTOP\\)`;
    assert.match(stderr, new RegExp(words));
    assert.equal(stderr.match(/sign of life/g)!.length, 1, stderr);
  });
}

ranksTest("who waits in close notices a stop, too", async () => {
  const { code, stderr } = await strike("waits", 1, "SIGSTOP");
  assert.equal(code, 1, stderr);
  assert.match(stderr, /sign of life of rank 1 on .* is stopped/);
});

for (const scenario of ["busy", "closes"]) {
  const name = {
    busy: "a rank whose main thread stands still for three times as long lives",
    closes: "ranks close one after another",
  }[scenario]!;
  ranksTest(name, async () => {
    const { code, stdout, stderr } = await start(scenario, 3000).ended;
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    for (const rank of [0, 1, 2]) assert.match(stdout, new RegExp(`^rank ${rank} is done$`, "m"));
  });
}

ranksTest("who waits long for a rank at the start says so, and goes on when it comes", async () => {
  const job = start("late");
  const [, pid] = await job.printed(/^late is process (\d+)$/m);
  const told = (rank: number) =>
    job.text.stderr.includes(`note: rank ${rank} of 3 waits for all ranks to start, for 10 s`);
  for (let tries = 0; tries < 300 && !(told(0) && told(2)); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { stderr } = job.text;
  Deno.kill(Number(pid), "SIGCONT");
  const { code, stdout } = await job.ended;
  assert.ok(told(0) && told(2) && !stderr.includes("rank 1 of 3"), stderr);
  assert.equal(code, 0, stderr);
  for (const rank of [0, 1, 2]) assert.match(stdout, new RegExp(`^rank ${rank} is done$`, "m"));
});

ranksTest("ranks that end without closing do not hang", async () => {
  const { code, stdout, stderr } = await start("forgets").ended;
  assert.match(stdout, /^rank 0 is done$/m);
  assert.notEqual(code, 0);
  assert.doesNotMatch(stderr, /sign of life/);
});

ranksTest("a rank that fails ends all with its own words", async () => {
  const { code, stderr } = await start("fails").ended;
  assert.equal(code, 1, stderr);
  assert.match(stderr, /Error: out of luck/);
  assert.doesNotMatch(stderr, /sign of life/);
});

Deno.test("a beat tells of its process and host, however long its name", () => {
  for (const host of ["node7", "", "x".repeat(250)]) {
    const bytes = new Uint8Array(new SharedArrayBuffer(300)).subarray(7, 200);
    writeBeat(bytes, 1, { pid: 4_000_000_000, host });
    assert.deepEqual(readSender(bytes), { pid: 4_000_000_000, host: host.slice(0, 188) });
    assert.equal(bytes[0], 1);
  }
});

Deno.test("silence adds up while this process runs, and ends when something is heard", () => {
  const silence = new Silence(0);
  for (let now = 500; now <= 3000; now += 500) assert.equal(silence.at(now), now);
  assert.equal(silence.at(100_000), 4000); // it was stopped itself
  silence.heard();
  assert.equal(silence.at(100_400), 400);
});

Deno.test("a rank that falls silent is given up so soon that all end within ten seconds", () => {
  const silence = new Silence(0);
  let now = 0;
  while (silence.at(now) < SILENCE_MS) now += LOOK_MS;
  assert.ok(now + BEAT_MS <= 8000, `${now} ms, and two seconds for mpirun`);
});

Deno.test("what the machine knows of a silent process is said", () => {
  const of = (stat?: string) => whySilent({ pid: 7, host: "a" }, stat);
  assert.equal(of("7 (a) T b) T 1 7"), "its process 7 is stopped (SIGSTOP)");
  assert.equal(of("7 (deno) Z 1 7"), "its process 7 has ended");
  assert.equal(of(""), "its process 7 has ended");
  assert.equal(of("7 (deno) R 1 7"), "its process 7 is there but does nothing");
  assert.match(of(), /process 7 is stopped, or its machine or network is down/);
});
