/** Runs with a dashboard: what is asked of them is done, and neither it nor its end changes a bit of them. */
import assert from "node:assert/strict";
import deno from "../../deno.json" with { type: "json" };
import { eventually, freePort, Listener, startWatched } from "../support/dashboard.ts";
import { lacks } from "../support/permissions.ts";
import { assertSameFile, checkpoint, flags, runTest, train } from "../support/runs.ts";

const ENDLESS = flags({
  "training.num_epochs": 100_000,
  "training.max_steps": "null",
  "checkpoint.save_every_n_epochs": "null",
  "logging.log_every_n_iters": 1,
});

if (lacks("net")) {
  Deno.test({ name: "runs with a dashboard (ignored: needs --allow-net)", ignore: true, fn() {} });
} else {
  runTest(
    "train ends with the same bytes when it was paused and saved by hand",
    async (folder, small) => {
      const args = [
        ...small,
        ...flags({ "training.num_epochs": 40, "checkpoint.save_every_n_epochs": "null" }),
        ...flags({ "evaluation.view_retrieval": "false", "logging.log_every_n_iters": 1 }),
      ];
      const watched = await startWatched(folder, [...args, "--out", "watched"]);
      const { page } = watched;
      await page.ask("pause"); // most likely before the first step
      const { step } = await page.until(({ state }) => state === "paused");
      await page.ask("checkpoint");
      const { saved } = await page.until(({ saved }) => saved !== undefined);
      assert.equal(saved, step);
      assert.ok((await Deno.stat(checkpoint(`${folder}/watched`, step))).size > 0);
      assert.equal((await page.until(() => true)).step, step); // it waits
      const ends = page.until(({ state }) => state === "finished");
      await page.ask("resume");
      assert.equal((await ends).text, "finished");
      const { code, stderr } = await watched.ended;
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        new RegExp(`dashboard: http://127\\.0\\.0\\.1:${watched.port}/\\?token=`),
      );
      const alone = await train(folder, [...args, "--out", "alone"]);
      assert.equal(alone.code, 0, alone.stderr);
      for (const name of ["teacher.safetensors", "student.safetensors"]) {
        await assertSameFile(folder, `watched/${name}`, `alone/${name}`);
      }
    },
  );

  runTest(
    "train stops as at SIGINT when its page says so, also while it is paused",
    async (folder, small) => {
      const { page, ended } = await startWatched(folder, [...small, ...ENDLESS, "--out", "run"]);
      await page.until(({ step }) => step > 0);
      await page.ask("pause");
      const { step } = await page.until(({ state }) => state === "paused");
      const last = page.until(({ state }) => state !== "paused" && state !== "running");
      await page.ask("stop");
      const { code, stderr } = await ended;
      assert.equal(code, 130, stderr);
      assert.match(
        stderr,
        new RegExp(`stopped by the dashboard after step ${step}; go on with --resume`),
      );
      assert.ok((await Deno.stat(checkpoint(`${folder}/run`, step))).size > 0);
      const { state, text, controlled } = await last;
      assert.deepEqual([state, text, controlled], [
        "stopped",
        `stopped after step ${step}: go on with --resume`,
        false,
      ]);
    },
  );

  runTest("a paused run heeds signals, and its page tells of a crash", async (folder, small) => {
    const args = [...small, ...ENDLESS, ...flags({ "device.watchdog_seconds": 1 })];
    const paused = await startWatched(folder, [...args, "--out", "paused"]);
    await paused.page.until(({ step }) => step > 0);
    await paused.page.ask("pause");
    await paused.page.until(({ state }) => state === "paused");
    await new Promise((resolve) => setTimeout(resolve, 1700)); // longer than the watchdog waits
    paused.child.kill("SIGTERM");
    const { code, stderr } = await paused.ended;
    assert.equal(code, 143, stderr);

    const crashed = await startWatched(folder, [...args, "--out", "crashed"]);
    const last = crashed.page.until(({ state }) => state === "failed");
    crashed.child.kill("SIGKILL");
    assert.match((await last).text, /ended without a word: it crashed or was killed/);
    // The server ends with its run.
    await eventually(() => assert.rejects(() => new Listener(crashed.port).ask("stop")));
  });

  runTest("trouble with the dashboard is a warning, and the run goes on", async (folder, small) => {
    const args = [...small, ...flags({ "evaluation.view_retrieval": "false" })];
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr;
    const { code, stderr } = await train(folder, [...args, "--out", "a", "--dashboard", `${port}`]);
    assert.equal(code, 0, stderr);
    assert.ok(stderr.includes(
      `warning: no dashboard: Expected a free port at 127.0.0.1 but port ${port} is taken: ` +
        "name another one; the run goes on without it",
    ));
    const wrong = await train(folder, [...args, "--out", "b", "--dashboard", "configs"]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /error: Expected a port from 1 to 65535 but found "configs"/);
  });

  const processesTest: typeof runTest = (name, fn) => {
    if (Deno.build.os === "linux") return runTest(name, fn);
    Deno.test({ name: `${name} (ignored: finds processes in /proc only)`, ignore: true, fn() {} });
  };

  processesTest("a run outlives its dashboard, even while it is paused", async (folder, small) => {
    const args = [...small, ...flags({ "logging.log_every_n_iters": 1 })];
    const port = freePort();
    const { page, ended } = await startWatched(folder, [...args, "--out", "run"], port);
    await page.ask("pause");
    await page.until(({ state }) => state === "paused");
    let pid = 0;
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
      if (line.includes(`--allow-net=127.0.0.1:${port}\0`)) pid = Number(name);
    }
    assert.ok(pid > 0);
    Deno.kill(pid, "SIGKILL");
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /warning: the dashboard is gone: .*; the run goes on/);
  });
}

Deno.test("the task of training stays without a network, dashboard or not", () => {
  assert.match(deno.tasks.train, / --deny-net /);
  assert.ok(!/allow-net|-A\b|allow-all/.test(deno.tasks.train));
  assert.match(deno.tasks.dashboard, / --allow-net=127\.0\.0\.1,0\.0\.0\.0 /);
  assert.match(deno.tasks.dashboard, / --no-prompt /);
});
