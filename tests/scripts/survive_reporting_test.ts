/** Whatever becomes of those who are told of a run, and of the files that only tell of it: the run goes on. */
import assert from "node:assert/strict";
import { loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { plain, put } from "../data/support.ts";
import { lacksAdapter } from "../support/gpu.ts";
import { lacks, testUnless, withFolder } from "../support/permissions.ts";
import {
  appears,
  assertSameFile,
  checkpoint,
  commandOf,
  flags,
  path,
  pictures,
  runTest,
  SMALL,
  start,
  train,
} from "../support/runs.ts";
import { HANG_MS } from "../support/hang.ts";

const ENDLESS = flags({
  "training.num_epochs": 100_000,
  "checkpoint.save_every_n_epochs": "null",
  "logging.log_every_n_iters": 1,
});

const unix = Deno.build.os === "windows" ? "there are no such pipes on Windows" : "";

/** A test of runs in a shell. */
function shellTest(
  name: string,
  fn: (folder: string, small: string[]) => Promise<void>,
  needs = "bash",
): void {
  const found = !lacks("run") && !unix &&
    new Deno.Command("sh", { args: ["-c", `command -v ${needs}`], stdout: "null" })
      .outputSync().success;
  const missing = unix || (found ? "" : `needs ${needs}`);
  testUnless(
    [lacksAdapter, lacks("run", "read", "write", "env"), missing],
    name,
    () =>
      withFolder(async (folder) => {
        await fn(folder, flags({ "data.path": await pictures(folder), ...SMALL }));
      }),
  );
}

/** Runs a script in bash; gives up after two minutes. */
async function bash(script: string, args: string[], cwd: string) {
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", script, "bash", ...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");

shellTest(
  "train comes to its end, with the same bytes, when nobody reads what it says any more",
  async (folder, small) => {
    const args = [...small, ...flags({ "logging.log_every_n_iters": 1 })];
    const whole = await train(folder, [...args, "--out", "whole"]);
    assert.equal(whole.code, 0, whole.stderr);
    const deaf = await bash(
      `${quoted([Deno.execPath(), ...commandOf([...args, "--out", "deaf"])])} 2>&1 | head -1; ` +
        'echo "status ${PIPESTATUS[0]}"',
      [],
      folder,
    );
    assert.match(deaf.stdout, /^[^\n]+\nstatus 0\n$/);
    assert.equal(deaf.stderr, "");
    const task = await bash(
      `${quoted([Deno.execPath(), "task", "train"])} "$@" 2>&1 | head -2; ` +
        'echo "status ${PIPESTATUS[0]}"',
      [path("configs/tiny.yaml"), ...args, "--out", `${folder}/task`],
      path("."),
    );
    assert.match(task.stdout, /^Task train .*\n[^\n]+\nstatus 0\n$/);
    assert.equal(task.stderr, "");
    for (const run of ["deaf", "task"]) {
      await assertSameFile(folder, "whole/teacher.safetensors", `${run}/teacher.safetensors`);
      await Deno.stat(`${folder}/${run}/report.html`);
    }
  },
);

runTest("train saves on SIGTERM when nobody reads what it says any more", async (folder, small) => {
  const run = new Deno.Command(Deno.execPath(), {
    args: commandOf([...small, ...ENDLESS, "--out", "run"]),
    cwd: folder,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => run.kill("SIGKILL"), HANG_MS);
  await run.stdout.cancel();
  const reader = run.stderr.getReader();
  await reader.read();
  await reader.cancel();
  await appears(`${folder}/run/metrics.jsonl`);
  run.kill("SIGTERM");
  const { code } = await run.status;
  clearTimeout(timer);
  assert.equal(code, Deno.build.os === "windows" ? 1 : 143);
  await assertSaved(`${folder}/run`);
});

/** That a run has left its last step. */
async function assertSaved(run: string): Promise<number> {
  const lines = (await Deno.readTextFile(`${run}/metrics.jsonl`)).trim().split("\n");
  const { step } = JSON.parse(lines.at(-1)!);
  const names = [...Deno.readDirSync(run)].map(({ name }) => name);
  const last = Math.max(...names.map((name) => Number(/^checkpoint-(\d+)/.exec(name)?.[1] ?? 0)));
  assert.ok(last >= step, `step ${step} is logged, ${last} is saved`);
  assert.equal((await loadCheckpoint(checkpoint(run, last))).step, last);
  return last;
}

shellTest(
  "train saves and ends with status 129 when its terminal closes",
  async (folder, small) => {
    // `script` is the terminal; the shell that leads its session ends with it, and then all in it are told. The
    // shell between writes down how the run ends.
    const command = quoted([Deno.execPath(), ...commandOf([...small, ...ENDLESS, "--out", "run"])]);
    await Deno.writeTextFile(`${folder}/run.sh`, `trap '' HUP\n${command}\necho $? > status\n`);
    const terminal = new Deno.Command("script", {
      args: ["-qfc", "sh run.sh; true", "/dev/null"],
      cwd: folder,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await appears(`${folder}/run/metrics.jsonl`);
    } finally {
      terminal.kill("SIGKILL");
      await terminal.stdin.close().catch(() => {});
      await terminal.status;
    }
    await appears(`${folder}/status`);
    assert.equal((await Deno.readTextFile(`${folder}/status`)).trim(), "129");
    await assertSaved(`${folder}/run`);
  },
  "script",
);

shellTest("train waits for nobody who reads slowly", async (folder, small) => {
  // A pipe that is full before the run begins, and is read when the run has ended.
  const command = quoted([Deno.execPath(), ...commandOf([...small, "--out", "run"])]);
  const { stdout, stderr } = await bash(
    `{ head -c 65536 /dev/zero >&2; ${command} 2>&1 > out; echo $? > status; } 2>&1 | ` +
      "{ for i in $(seq 600); do [ -s status ] && break; sleep 0.1; done; [ -s status ] || echo late; tr -d '\\0'; }",
    [],
    folder,
  );
  assert.equal((await Deno.readTextFile(`${folder}/status`)).trim(), "0", stdout + stderr);
  assert.doesNotMatch(stdout, /^late/);
  await Deno.stat(`${folder}/run/teacher.safetensors`);
});

runTest(
  "train keeps its metrics in memory while the disk is full, and writes them later",
  async (folder, small) => {
    const args = [
      ...small,
      ...flags({ "training.max_steps": 8, "logging.log_every_n_iters": 1 }),
      ...flags({ "logging.tensorboard": "true", "evaluation.every_n_epochs": 2 }),
    ];
    const fault = "full:20:run/(metrics|evaluations|run\\.json|kernels|events)";
    const run = await train(folder, [...args, "--out", "run"], undefined, { fault });
    assert.equal(run.code, 0, run.stderr);
    const read = async (name: string) =>
      (await Deno.readTextFile(`${folder}/run/${name}`)).trim().split("\n").map((row) =>
        JSON.parse(row).step
      );
    assert.deepEqual(await read("metrics.jsonl"), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual(await read("evaluations.jsonl"), [4]);
    assert.equal(JSON.parse(await Deno.readTextFile(`${folder}/run/run.json`)).parts.length, 1);
    assert.equal(run.stderr.split("Cannot write run/metrics.jsonl: no space").length, 2);
    assert.match(run.stderr, /note: run\/metrics\.jsonl is written again, and nothing is lost/);
  },
);

runTest(
  "train ends well without any file that only tells of it",
  async (folder, small) => {
    const args = [...small, ...flags({ "training.max_steps": 4, "logging.tensorboard": "true" })];
    const fault = "full:1000000:run/(?!checkpoint|teacher|student|config)";
    const run = await train(folder, [...args, "--out", "run"], undefined, { fault });
    assert.equal(run.code, 0, run.stderr);
    await assertWhole(`${folder}/run`);
    assert.match(run.stderr, /warning: never written, .*run\/metrics\.jsonl/);
    assert.match(run.stderr, /warning: no report: /);
    assert.ok(!/^\s+at /m.test(run.stderr), run.stderr);
    const warned = [...run.stderr.matchAll(/Cannot write run\/([\w.-]+)/g)].map(([, name]) => name);
    const others = warned.filter((name) => name !== "report.html");
    assert.equal(new Set(others).size, others.length, others.join());
  },
);

async function assertWhole(run: string): Promise<void> {
  await loadCheckpoint(checkpoint(run, 4));
  for (const name of ["teacher", "student"]) await Deno.stat(`${run}/${name}.safetensors`);
}

runTest("train shows names as text, whatever is in them", async (folder, small) => {
  const hostile = "a\x1b]0;x\x07\nb\u202e";
  const name = Deno.build.os === "windows" ? "b\u202e" : hostile;
  await Deno.writeTextFile(`${folder}/pictures/odd/${name}.png`, "no picture");
  const args = [...small, ...flags({ "training.max_steps": 2 }), "--out", `run ${name}`];
  const ended = [
    await train(folder, args),
    await train(folder, args), // refused
    await train(folder, [...args, "--resume", "--optimizer.lr", "1"]), // refused too
  ];
  assert.deepEqual(ended.map(({ code }) => code), [0, 1, 1]);
  for (const { stdout, stderr } of ended) {
    // deno-lint-ignore no-control-regex
    const bad = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]|^b(?!est readout)/m.exec(stdout + stderr);
    assert.equal(bad, null, JSON.stringify(stdout + stderr));
  }
  assert.match(ended[0].stderr, /^skipped: .*b\\u202e\.png: /m);
  assert.match(ended[0].stdout, /^run folder: run .*b\\u202e$/m);
  assert.match(ended[0].stdout, /^report: run .*b\\u202e.report\.html/m);
});

runTest("train's last evaluation reaches TensorBoard", async (folder, small) => {
  const args = [...small, ...flags({ "training.max_steps": 2, "logging.tensorboard": "true" })];
  const { code, stderr } = await start(folder, [...args, "--out", "run"]).ended;
  assert.equal(code, 0, stderr);
  const [name] = [...Deno.readDirSync(`${folder}/run`)].map(({ name }) => name)
    .filter((name) => name.includes("tfevents"));
  const events = new TextDecoder().decode(await Deno.readFile(`${folder}/run/${name}`));
  const figures = JSON.parse(await Deno.readTextFile(`${folder}/run/evaluation.json`));
  assert.ok(figures.length > 3);
  for (const { encoder, metric } of figures) {
    const tag = encoder === "teacher (class)" ? `eval/${metric}` : `eval/${metric} (${encoder})`;
    assert.ok(events.includes(tag), tag);
  }
});

runTest("train warns of evaluations that fail, and comes to its end", async (folder, small) => {
  const damaged = plain(30, 30, [7, 8, 9]);
  damaged[damaged.length - 20] ^= 1; // found when it is decoded
  for (const name of ["even/a.png", "odd/b.png"]) await put(folder, `test/${name}`, damaged);
  const { code, stderr } = await train(folder, [
    ...small,
    ...flags({ "evaluation.test_path": `${folder}/test`, "evaluation.every_n_epochs": 1 }),
    ...flags({ "training.max_steps": 4 }),
    "--out",
    "run",
  ]);
  assert.equal(code, 0, stderr);
  await assertWhole(`${folder}/run`);
  assert.match(
    stderr,
    /warning: not evaluated after step 2: Expected sound pictures .*; training goes on/,
  );
  assert.match(stderr, /warning: not evaluated: .*`deno task evaluate run` tries again/);
});
