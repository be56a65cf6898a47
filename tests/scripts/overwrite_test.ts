/** When a run's folder changes: a new run in it, in the place of another one, or refused. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { RunFolder } from "../../scripts/train/run_folder.ts";
import { put } from "../data/support.ts";
import { folderTest } from "../support/permissions.ts";
import {
  assertSameFile,
  checkpoint,
  commandOf,
  errorOf,
  flags,
  path,
  runTest,
  start,
  train,
} from "../support/runs.ts";
import { HANG_MS } from "../support/hang.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const SHORT = flags({ "training.max_steps": 2, "evaluation.view_retrieval": "false" });

/** Paths of all that is in a folder, with the bytes of files. */
async function treeOf(folder: string, below = ""): Promise<Map<string, string>> {
  const tree = new Map<string, string>();
  for await (const { name, isDirectory } of Deno.readDir(join(folder, below))) {
    const place = join(below, name);
    if (isDirectory) {
      for (const [inner, text] of await treeOf(folder, place)) tree.set(inner, text);
    } else {tree.set(
        place,
        new TextDecoder("latin1").decode(await Deno.readFile(join(folder, place))),
      );}
  }
  return tree;
}

async function isThere(file: string): Promise<boolean> {
  return await Deno.lstat(file).then(() => true, () => false);
}

/** Every file is as it was; the lock says who looked last. */
async function assertUnchanged(folder: string, before: Map<string, string>): Promise<void> {
  const after = await treeOf(folder);
  for (const tree of [before, after]) tree.delete("run.lock");
  assert.deepEqual([...after.keys()].sort(), [...before.keys()].sort());
  for (const [name, text] of before) assert.ok(after.get(name) === text, name);
}

runTest("train --overwrite deletes nothing when the new run is refused", async (folder, small) => {
  const args = [...small, ...SHORT, "--out", "run"];
  const first = await train(folder, args);
  assert.equal(first.code, 0, first.stderr);
  const before = await treeOf(`${folder}/run`);
  await put(folder, "no-weights.safetensors", new Uint8Array(64));
  const refused: [RegExp, string[]][] = [
    [/nowhere/, ["--data.path", "nowhere"]],
    [/at least one batch of 64 pictures/, ["--data.batch_size", "64"]],
    [/device\.memory_bytes/, ["--device.memory_bytes", "100000"]],
    [/not a valid safetensors file/, ["--weights", "no-weights.safetensors"]],
    [/blocks\.\d.* expected/s, ["--weights", "run", "--model.dim", "32"]],
  ];
  for (const [pattern, more] of refused) {
    const { code, stderr } = await train(folder, [...args, "--overwrite", ...more]);
    assert.equal(code, 1, stderr);
    assert.match(errorOf({ stderr }), pattern);
    await assertUnchanged(`${folder}/run`, before);
  }
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: commandOf([...args, "--overwrite"]),
    cwd: folder,
    env: { NO_COLOR: "1", HATCHLING_ADAPTER: "system", VK_ICD_FILENAMES: "/dev/null" },
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  if (code) { // elsewhere than on Linux that variable does nothing
    assert.match(new TextDecoder().decode(stderr), /Expected a WebGPU adapter/);
    await assertUnchanged(`${folder}/run`, before);
  }
});

runTest(
  "train --overwrite starts from the weights of the run that it replaces, and leaves nothing of it",
  async (folder, small) => {
    const args = [...small, ...SHORT, "--out", "run"];
    const first = await train(folder, [...args, "--logging.tensorboard", "true"]);
    assert.equal(first.code, 0, first.stderr);
    const elsewhere = await train(folder, [...small, ...SHORT, "--out", "on", "--weights", "run"]);
    assert.equal(elsewhere.code, 0, elsewhere.stderr);
    const stale = ["non-finite-00000001.json", "evaluations.jsonl", "best.safetensors"]
      .concat("attention/step-00000077.png", "checkpoint-00000099.safetensors");
    const mine = ["notes.txt", "curves/mine.txt", "events.out.tfevents.mine"];
    for (const name of [...stale, ...mine]) await Deno.writeTextFile(`${folder}/run/${name}`, name);
    const run = await train(folder, [...args, "--overwrite", "--weights", "run"]);
    assert.equal(run.code, 0, run.stderr);
    for (const name of stale) assert.ok(!await isThere(`${folder}/run/${name}`), name);
    for (const name of mine) assert.equal(await Deno.readTextFile(`${folder}/run/${name}`), name);
    const names = [...(await treeOf(`${folder}/run`)).keys()];
    assert.deepEqual(names.filter((name) => /tfevents\.\d|replaced/.test(name)), []);
    await assertSameFile(folder, "on/teacher.safetensors", "run/teacher.safetensors");
    assert.equal(JSON.parse(await Deno.readTextFile(`${folder}/run/run.json`)).parts.length, 1);
  },
);

runTest(
  "train --overwrite gives the old run back when the new one is killed before its first checkpoint",
  async (folder, small) => {
    const args = [...small, ...SHORT, "--out", "run"];
    const first = await train(folder, args);
    assert.equal(first.code, 0, first.stderr);
    const before = await treeOf(`${folder}/run`);
    const endless = flags({
      "training.max_steps": 1e6,
      "training.num_epochs": 1e6,
      "checkpoint.save_every_n_epochs": "null",
      "checkpoint.save_every_n_iters": "null",
    });
    const run = start(folder, [...small, ...endless, "--out", "run", "--overwrite"]);
    for (let tries = 0; tries < 1200; tries++, await sleep(50)) {
      const aside = await isThere(`${folder}/run/replaced-run.hatchling/run.json`);
      if (aside && await isThere(`${folder}/run/metrics.jsonl`)) break;
    }
    run.child.kill("SIGKILL");
    await run.ended;
    const refused = await train(folder, args);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /note: the run in run is as it was/);
    assert.match(errorOf(refused), /holds checkpoint-00000002\.safetensors: add --resume/);
    await assertUnchanged(`${folder}/run`, before);

    // A new one that has a checkpoint is gone on with.
    const saves = ["--checkpoint.save_every_n_iters", "1"];
    const other = start(folder, [...small, ...endless, ...saves, "--out", "run", "--overwrite"]);
    for (let tries = 0; tries < 1200; tries++, await sleep(50)) {
      if (await isThere(checkpoint(`${folder}/run`, 3))) break;
    }
    other.child.kill("SIGKILL");
    await other.ended;
    const rest = await train(folder, [
      ...small,
      ...endless,
      ...saves,
      "--training.max_steps",
      "1",
      "--out",
      "run",
      "--resume",
    ]);
    assert.equal(rest.code, 0, rest.stderr);
    assert.match(rest.stderr, /resuming after step \d+/);
    assert.ok(![...(await treeOf(`${folder}/run`)).keys()].some((name) => /replaced/.test(name)));
  },
);

runTest(
  "train leaves nothing behind when it is refused before it begins",
  async (folder, small) => {
    const config = `${folder}/budget.yaml`;
    const tiny = await Deno.readTextFile(path("configs/tiny.yaml"));
    await Deno.writeTextFile(
      config,
      tiny.replace(/^ {2}num_epochs:.*\n/m, "").replace(/warmup_epochs: 0.*/, "warmup_epochs: 50"),
    );
    const few = small.filter((_, i) =>
      !small.slice(Math.max(0, i - 1), i + 1).includes("--training.num_epochs")
    );
    const refuse = async (args: string[]) => {
      const result = await train(folder, [
        ...few,
        "--budget",
        "0.01s",
        "--optimizer.lr",
        "0.001",
        ...args,
      ], config);
      assert.equal(result.code, 1, result.stderr);
      assert.match(errorOf(result), /Expected a budget of at least/);
    };
    const before = (await treeOf(folder)).size;
    await refuse([]);
    await refuse(["--out", "deep/er/run"]);
    assert.deepEqual([await isThere(`${folder}/runs`), await isThere(`${folder}/deep`)], [
      false,
      false,
    ]);
    await Deno.mkdir(`${folder}/empty`);
    await refuse(["--out", "empty"]);
    assert.deepEqual([...Deno.readDirSync(`${folder}/empty`)], []);
    assert.equal((await treeOf(folder)).size, before);

    // What may be the user's is neither replaced nor deleted.
    await Deno.writeTextFile(`${folder}/empty/config.yaml`, "mine");
    for (const more of [[], ["--overwrite"]]) {
      const result = await train(folder, [...small, "--out", "empty", ...more]);
      assert.equal(result.code, 1);
      assert.match(errorOf(result), /empty holds config\.yaml, which a run would write over/);
    }
    assert.equal(await Deno.readTextFile(`${folder}/empty/config.yaml`), "mine");
    assert.deepEqual([...Deno.readDirSync(`${folder}/empty`)].map(({ name }) => name), [
      "config.yaml",
    ]);
  },
);

folderTest("RunFolder gives the old run back until the new one has done a step", async (folder) => {
  const run = `${folder}/run`, saved = checkpoint(run, 4);
  const texts = { [saved]: "old", [`${run}/run.json`]: "old", [`${run}/mine.txt`]: "mine" };
  await Deno.mkdir(run);
  for (const [file, text] of Object.entries(texts)) await Deno.writeTextFile(file, text);
  const before = await treeOf(run);
  for (const step of [0, 1]) {
    const place = await RunFolder.open("tiny.yaml", { out: run, overwrite: true });
    await assert.rejects(
      RunFolder.open("tiny.yaml", { out: run, overwrite: true }),
      /belongs to process/,
    );
    assert.deepEqual([place.isOurs, await place.where(run)], [false, run]);
    await assertUnchanged(run, before);
    await place.begin();
    assert.equal(await Deno.readTextFile(`${await place.where(run)}/run.json`), "old");
    assert.equal(await Deno.readTextFile(await place.where(`${run}/run.json`)), "old");
    assert.equal(await place.where(folder), folder);
    await Deno.writeTextFile(checkpoint(run, step), "new");
    await place.saved(step);
    assert.equal(place.isOurs, step > 0);
    await place.leave();
    if (!step) await assertUnchanged(run, before);
    else {
      const names = [...(await treeOf(run)).keys()].filter((name) => name !== "run.lock");
      assert.deepEqual(names.sort(), ["checkpoint-00000001.safetensors", "mine.txt"]);
    }
    await Deno.remove(`${run}/run.lock`, { recursive: true }).catch(() => {});
  }
});

folderTest(
  "runs of one config that start in the same second have a folder each",
  async (folder) => {
    const script = `
    const now = new Date(1.8e12);
    globalThis.Date = class extends Date { constructor() { super(now); } };
    const { RunFolder } = await import(Deno.args[0]);
    for (let i = 0; i < 4; i++) console.log((await RunFolder.open("a/tiny.yaml", {})).path);
  `;
    await Deno.writeTextFile(`${folder}/starts.ts`, script);
    const starts = Array.from({ length: 3 }, () =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "-A", `--config=${path("deno.json")}`, "starts.ts"].concat(
          path("scripts/train/run_folder.ts"),
        ),
        cwd: folder,
        signal: AbortSignal.timeout(HANG_MS),
      }).output());
    const found = (await Promise.all(starts)).flatMap(({ stdout, stderr }) => {
      assert.equal(new TextDecoder().decode(stderr), "");
      return new TextDecoder().decode(stdout).trim().split("\n");
    });
    assert.equal(found.length, 12);
    assert.equal(new Set(found).size, 12, found.join());
    const all = [...Deno.readDirSync(`${folder}/runs`)].map(({ name }) => `runs/${name}`);
    assert.deepEqual(all.sort(), found.sort());
  },
  ["run"],
);

runTest(
  "train --resume takes the newest run, also of several in one second",
  async (folder, small) => {
    const one = await train(folder, [...small, ...SHORT, "--out", "one"]);
    assert.equal(one.code, 0, one.stderr);
    await Deno.mkdir(`${folder}/runs`);
    for (const n of ["", "-2", "-10"]) {
      await Deno.mkdir(`${folder}/runs/tiny-2026-01-01T00-00-00${n}`);
      const file = `${n === "-10" ? "checkpoint-00000002" : "teacher"}.safetensors`;
      await Deno.copyFile(
        `${folder}/one/${file}`,
        `${folder}/runs/tiny-2026-01-01T00-00-00${n}/${file}`,
      );
    }
    const rest = await train(folder, [...small, ...SHORT, "--resume"]);
    assert.equal(rest.code, 0, rest.stderr);
    assert.match(rest.stderr, /resuming after step 2, from runs\/tiny-2026-01-01T00-00-00-10\//);
    const run = `${folder}/runs/tiny-2026-01-01T00-00-00-10`;
    assert.equal((await loadCheckpoint(checkpoint(run, 2))).step, 2);
  },
);
