/** Whatever happens to a run: it loses the steps since its last checkpoint at most, and ends with the same bytes. */
import assert from "node:assert/strict";
import { loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { launchers, type Process } from "../../scripts/train/launchers.ts";
import {
  appears,
  assertSameFile,
  checkpoint,
  errorOf,
  flags,
  runTest,
  start,
  train,
} from "../support/runs.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Whether a run still has its folder. */
async function isHeld(folder: string): Promise<boolean> {
  using file = await Deno.open(`${folder}/run.lock`, { write: true });
  return !file.tryLockSync(true);
}

async function ends(folder: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++, await sleep(50)) if (!await isHeld(folder)) return;
  throw new Error(`the run in ${folder} did not end`);
}

runTest("train ends with the same bytes however often it is killed", async (folder, small) => {
  const args = [
    ...small,
    ...flags({
      "training.max_steps": 40,
      "training.num_epochs": 40,
      "training.gradient_accumulation_steps": 2,
      "data.batch_size": 2,
      "checkpoint.save_every_n_iters": 3,
      "checkpoint.save_every_n_epochs": "null",
      "evaluation.view_retrieval": "false",
    }),
  ];
  const undisturbed = await train(folder, [...args, "--out", "whole"]);
  assert.equal(undisturbed.code, 0, undisturbed.stderr);
  const seen = new Set<string>();
  let resumed = false;
  for (let kills = 0; kills < 6; kills++) {
    const workers = flags({ "data.num_workers": 1 + kills % 3 });
    const run = start(folder, [
      ...args,
      ...workers,
      "--out",
      "killed",
      ...resumed ? ["--resume"] : [],
    ]);
    await Promise.race([appears(`${folder}/killed/run.json`), run.ended]);
    resumed = true;
    await sleep(400 + 800 * Math.random());
    try {
      run.child.kill("SIGKILL");
    } catch {
      // it has ended before
    }
    const { stderr } = await run.ended;
    seen.add(stderr.match(/resuming after step (\d+)/)?.[1] ?? "the beginning");
  }
  const rest = await train(folder, [...args, "--out", "killed", "--resume"]);
  assert.equal(rest.code, 0, rest.stderr);
  for (const name of ["teacher.safetensors", "student.safetensors"]) {
    await assertSameFile(folder, `whole/${name}`, `killed/${name}`);
  }
  const [whole, killed] = await Promise.all(
    ["whole", "killed"].map((run) => loadCheckpoint(checkpoint(`${folder}/${run}`, 40))),
  );
  for (const key of ["moments", "buffers", "stepCounts"] as const) {
    assert.deepEqual(killed[key], whole[key], key);
  }
  assert.ok(seen.has("the beginning"), [...seen].join());
  const left = [...Deno.readDirSync(`${folder}/killed`)].map(({ name }) => name);
  assert.ok(!left.some((name) => name.endsWith("tmp")), left.join());
});

runTest(
  "train saves and ends when whoever started it is gone, and leaves no lock",
  async (folder, small) => {
    const endless = flags({
      "training.num_epochs": 100_000,
      "checkpoint.save_every_n_epochs": "null",
    });
    const launcher =
      "await new Deno.Command(Deno.args[0], { args: Deno.args.slice(1) }).spawn().status;";
    await Deno.writeTextFile(`${folder}/launcher.ts`, launcher);
    const run = start(folder, [...small, ...endless, "--out", "run"], undefined, {
      runner: [Deno.execPath(), "run", "--quiet", "-A", "launcher.ts", Deno.execPath()],
    });
    await appears(`${folder}/run/metrics.jsonl`);
    assert.ok(await isHeld(`${folder}/run`));
    const second = await train(folder, [...small, "--out", "run", "--resume"]);
    assert.match(
      errorOf(second),
      /^error: Expected a folder that no other run uses but run belongs to process \d+/,
    );
    assert.equal(second.code, 1);
    run.child.kill("SIGKILL");
    await ends(`${folder}/run`);
    const [{ name }] = [...Deno.readDirSync(`${folder}/run`)].filter(({ name }) =>
      name.startsWith("checkpoint")
    );
    assert.ok((await loadCheckpoint(`${folder}/run/${name}`)).step > 0);
  },
);

runTest("train ends at once at a second signal", async (folder, small) => {
  const endless = flags({ "training.num_epochs": 100_000 });
  const run = start(folder, [...small, ...endless, "--out", "run"]);
  await appears(`${folder}/run/metrics.jsonl`);
  run.child.kill("SIGTERM");
  await sleep(120);
  try {
    run.child.kill("SIGTERM");
  } catch {
    // it has saved and ended within that time
  }
  const { code, stderr } = await run.ended;
  assert.equal(code, 143, stderr);
  assert.match(stderr, /SIGTERM: stopping and saving; once more stops at once/);
});

runTest(
  "train ends when the GPU does not answer in time, and says how to go on",
  async (folder, small) => {
    const args = [...small, ...flags({ "device.watchdog_seconds": 1 }), "--out", "run"];
    const { code, stderr } = await train(folder, args, undefined, { fault: "hang:35" });
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /Expected the GPU to answer within 1 s but it has not.*--resume --out run/,
    );
  },
);

runTest(
  "train takes the checkpoint before a torn one, and refuses another configuration",
  async (folder, small) => {
    const args = [
      ...small,
      ...flags({ "checkpoint.save_every_n_iters": 2, "checkpoint.keep_last_n": 3 }),
    ];
    const whole = await train(folder, [
      ...args,
      "--out",
      "whole",
      ...flags({ "training.max_steps": 6 }),
    ]);
    const part = await train(folder, [
      ...args,
      "--out",
      "part",
      ...flags({ "training.max_steps": 4 }),
    ]);
    for (const { code, stderr } of [whole, part]) assert.equal(code, 0, stderr);
    await Deno.truncate(checkpoint(`${folder}/part`, 4), 1000);
    const six = ["--out", "part", "--resume", ...flags({ "training.max_steps": 6 })];
    const other = await train(folder, [...args, ...six, "--optimizer.lr", "1"]);
    assert.equal(other.code, 1);
    assert.match(errorOf(other), /optimizer\.lr: 1 instead of/);
    const rest = await train(folder, [...args, ...six]);
    assert.equal(rest.code, 0, rest.stderr);
    assert.match(rest.stderr, /warning: .*00000004\.safetensors.*; the one before it is used/);
    assert.match(rest.stderr, /resuming after step 2/);
    await assertSameFile(folder, "whole/teacher.safetensors", "part/teacher.safetensors");

    const longer = [
      "--out",
      "part",
      "--resume",
      ...flags({ "training.num_epochs": 5, "training.max_steps": 8 }),
    ];
    assert.match(
      errorOf(await train(folder, [...args, ...longer])),
      /num_epochs: 5 instead of 4.*--extend allows/s,
    );
    const extended = await train(folder, [...args, ...longer, "--extend"]);
    assert.equal(extended.code, 0, extended.stderr);
    const overwritten = await train(folder, [
      ...args,
      "--out",
      "part",
      ...flags({ "training.max_steps": 1 }),
    ]);
    assert.match(errorOf(overwritten), /holds checkpoint-00000008.*--overwrite/);
  },
);

runTest(
  "train goes on when a checkpoint cannot be written, and keeps those before",
  async (folder, small) => {
    // A folder in the place of the file: as with a full disk, the write fails, and nothing else.
    await Deno.mkdir(`${checkpoint(`${folder}/run`, 4)}/in-the-way`, { recursive: true });
    const run = await train(folder, [
      ...small,
      ...flags({ "checkpoint.save_every_n_iters": 2, "training.max_steps": 6 }),
      "--out",
      "run",
    ]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(
      run.stderr,
      /warning: no checkpoint of step 4: .*\(the last one is of step 2\); training goes on/,
    );
    for (const step of [2, 6]) {
      assert.equal(
        (await loadCheckpoint(checkpoint(`${folder}/run`, step))).step,
        step,
      );
    }
  },
);

runTest(
  "train goes on once after the loss of its device, with the same bytes",
  async (folder, small) => {
    const args = [
      ...small,
      ...flags({ "checkpoint.save_every_n_iters": 2, "training.max_steps": 8 }),
    ];
    const whole = await train(folder, [...args, "--out", "whole"]);
    assert.equal(whole.code, 0, whole.stderr);
    const lost = await train(folder, [...args, "--out", "lost"], undefined, { fault: "lose:60" });
    assert.equal(lost.code, 0, lost.stderr);
    assert.match(lost.stderr, /error: The GPU device was lost/);
    assert.match(lost.stderr, /Going on after step \d with a new device/);
    await assertSameFile(folder, "whole/teacher.safetensors", "lost/teacher.safetensors");
  },
);

runTest("train leaves out a batch with NaN where it may, and says which", async (folder, small) => {
  const args = [...small, ...flags({ "training.max_steps": 6 })];
  const stopped = await train(folder, [...args, "--out", "run"], undefined, { fault: "nan:3" });
  assert.equal(stopped.code, 1);
  assert.match(errorOf(stopped), /found NaN or infinity in the loss at step 3/);
  const report = JSON.parse(await Deno.readTextFile(`${folder}/run/non-finite-00000003.json`));
  assert.equal(report.pictures.length, 4);
  assert.equal(report.pictures[0].views.length, 3);
  assert.match(report.pictures[0].id, /\.(png|jpg)$/);
  const skip = ["--resume", "--training.on_non_finite", "skip"];
  const rest = await train(folder, [...args, "--out", "run", ...skip], undefined, {
    fault: "nan:3",
  });
  assert.equal(rest.code, 0, rest.stderr);
  assert.match(rest.stderr, /Batch 3 is left out \(1 of at most 10\)/);
  const state = await loadCheckpoint(checkpoint(`${folder}/run`, 6));
  assert.equal(state.stepCounts.cls_token, 5);
  assert.deepEqual(state.extra!.skippedSteps, [3]);
});

runTest(
  "train keeps the best and every n-th checkpoint, and starts from given weights",
  async (folder, small) => {
    const args = [
      ...small,
      ...flags({
        "evaluation.every_n_epochs": 1,
        "checkpoint.keep_last_n": 1,
        "checkpoint.keep_every_n_epochs": 2,
      }),
    ];
    const run = await train(folder, [...args, "--out", "run"]);
    assert.equal(run.code, 0, run.stderr);
    const steps = [...Deno.readDirSync(`${folder}/run`)].flatMap(({ name }) => {
      const step = /^checkpoint-(\d+)/.exec(name)?.[1];
      return step ? [Number(step)] : [];
    });
    assert.deepEqual(steps.sort((a, b) => a - b), [4, 6]); // two steps an epoch, six in all
    const lines = (await Deno.readTextFile(`${folder}/run/evaluations.jsonl`)).trim().split("\n");
    const found = lines.map((line) => JSON.parse(line));
    assert.deepEqual(found.map(({ step }) => step), [2, 4]);
    const scores = found.map(({ figures }) =>
      (figures.find(({ metric }: { metric: string }) => metric.includes("k-NN")) ?? figures[0])
        .percent
    );
    const best = await loadCheckpoint(`${folder}/run/best.safetensors`);
    assert.equal(best.step, found[scores.indexOf(Math.max(...scores))].step);

    const one = flags({ "training.max_steps": 1, "optimizer.lr": 1e-30, "scheduler.min_lr": 0 });
    const on = await train(folder, [...small, ...one, "--out", "on", "--weights", "run"]);
    assert.equal(on.code, 0, on.stderr);
    assert.match(on.stderr, /starting from \d+ tensors of run\/teacher\.safetensors/);
    const { student } = await loadCheckpoint(checkpoint(`${folder}/on`, 1));
    const { teacher } = await loadCheckpoint(checkpoint(`${folder}/run`, 6));
    assert.deepEqual(
      student.get("blocks.0.attn.qkv.weight"),
      teacher.get("blocks.0.attn.qkv.weight"),
    );
    const both = await train(folder, [...small, "--weights", "run", "--resume"]);
    assert.match(errorOf(both), /Expected --resume or --weights but found both/);
  },
);

Deno.test("launchers() names the programs that run others in a row, a shell only between two", () => {
  const chain = (...names: string[]) => (pid: number): Process | undefined => {
    const name = names[pid - 100];
    return name ? { pid, name, start: "1", parent: pid + 1 } : undefined;
  };
  const namesOf = (detached: boolean, ...names: string[]) =>
    launchers(100, chain(...names), detached).map(({ name }) => name);
  const npx = ["deno", "node", "sh", "npm exec deno@2", "bash", "sshd"];
  assert.deepEqual(namesOf(false, ...npx), npx.slice(0, 4));
  assert.deepEqual(namesOf(true, ...npx), npx.slice(0, 4));
  assert.deepEqual(namesOf(false, "bash", "sshd"), ["bash"]);
  assert.deepEqual(namesOf(true, "bash", "sshd"), []);
  assert.deepEqual(namesOf(false, "python3", "bash"), ["python3"]);
  assert.deepEqual(namesOf(false), ["the parent"]);
});
