/** Runs of scripts/train.ts as users start it: what it leaves behind, and how it ends. */
import assert from "node:assert/strict";
import { parseConfig, parseOverrides } from "../../lib/config.ts";
import { loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { parseSafetensors } from "../../lib/io/safetensors.ts";
import { modelOf } from "../../lib/from_config.ts";
import jpeg from "../data/fixtures/progressive.jpg" with { type: "bytes" };
import { plain, put } from "../data/support.ts";
import {
  assertSameFile,
  checkpoint,
  errorOf,
  flags,
  path,
  runTest,
  start,
  train,
} from "../support/runs.ts";

runTest("train gives the same bytes twice, and when stopped and resumed", async (folder, small) => {
  const six = flags({ "training.max_steps": 6 });
  const [first, again, part] = await Promise.all([
    train(folder, [...small, ...six, "--out", "first"]),
    train(folder, [...small, ...six, "--out", "again"]),
    train(folder, [...small, ...flags({ "training.max_steps": 3 })]), // runs/tiny-<time>
  ]);
  for (const { code, stderr } of [first, again, part]) assert.equal(code, 0, stderr);
  const [resumed] = [...Deno.readDirSync(`${folder}/runs`)].map(({ name }) => `runs/${name}`);
  // As if it had been killed at step 5, in the middle of a line.
  const after = '{"step":4,"loss":1}\n{"step":5,"lo';
  await Deno.writeTextFile(`${folder}/${resumed}/metrics.jsonl`, after, { append: true });
  const rest = await train(folder, [...small, ...six, "--resume"]);
  assert.equal(rest.code, 0, rest.stderr);
  assert.match(rest.stderr, /resuming after step 3, from runs\/tiny-\S+/);
  const files = ["checkpoint-00000006.safetensors", "teacher.safetensors", "student.safetensors"];
  for (const file of [...files, "evaluation.json", "config.yaml", "kernels.json"]) {
    for (const run of ["again", resumed]) {
      await assertSameFile(folder, `first/${file}`, `${run}/${file}`);
    }
  }

  // What a run leaves behind.
  const lines = (await Deno.readTextFile(`${folder}/${resumed}/metrics.jsonl`)).trim().split("\n");
  const metrics = lines.map((line) => JSON.parse(line));
  assert.deepEqual(metrics.map(({ step }) => step), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(metrics.map(({ epoch }) => epoch), [0, 0.5, 1, 1.5, 2, 2.5]);
  for (const { loss, teacher_entropy: entropy } of metrics) {
    assert.ok(loss >= entropy && entropy > 0);
  }
  const state = await loadCheckpoint(checkpoint(`${folder}/first`, 6));
  const { overrides } = parseOverrides([...small, ...six]);
  const given = await Deno.readTextFile(path("configs/tiny.yaml"));
  const config = parseConfig(given, { file: "tiny.yaml", overrides });
  const kept = await Deno.readTextFile(`${folder}/first/config.yaml`);
  assert.deepEqual(parseConfig(kept, { file: "config.yaml" }), config);
  assert.deepEqual(state.config, config);
  const names = modelOf(config).specs().map((spec) => spec.name);
  for (const who of ["teacher", "student"] as const) {
    const { tensors } = parseSafetensors(await Deno.readFile(`${folder}/first/${who}.safetensors`));
    assert.deepEqual([...tensors.keys()].sort(), names.toSorted());
    assert.deepEqual(tensors.get("blocks.1.attn.qkv.weight")!.shape, [48, 16]);
    for (const name of names) assert.deepEqual(tensors.get(name)!.data, state[who].get(name), name);
  }
  assert.notDeepEqual(state.teacher.get("cls_token"), state.student.get("cls_token"));
  const figures = JSON.parse(await Deno.readTextFile(`${folder}/first/evaluation.json`));
  assert.deepEqual(
    new Set(figures.map(({ encoder }: { encoder: string }) => encoder)),
    new Set([
      "teacher (class)",
      "random init (class)",
      "raw pixels",
      "teacher (class, whitened)",
      "raw pixels (whitened)",
    ]),
  );
  for (const { metric } of figures) assert.match(first.stdout, new RegExp(metric.split("(")[0]));
  const left = [...Deno.readDirSync(`${folder}/first`)].filter(({ name }) => /^check/.test(name));
  assert.equal(left.length, 2, "checkpoint.keep_last_n");

  // A finished run stays as it is.
  const mixed = await train(folder, [...small, ...six, "--out", "first"]);
  assert.equal(mixed.code, 1);
  assert.match(
    errorOf(mixed),
    /^error: .*first holds checkpoint-0+6\.safetensors: add --resume[^\n]*\n$/,
  );
  const changed = await train(folder, [
    ...small,
    "--optimizer.lr",
    "1",
    "--out",
    "first",
    "--resume",
  ]);
  assert.equal(changed.code, 1);
  assert.match(errorOf(changed), /^error: .*\n {2}optimizer\.lr: 1 instead of 0\.0005\nUndo/);
});

runTest(
  "train names damaged files, whenever they are found, and goes on",
  async (folder, small) => {
    const flipped = plain(30, 30, [7, 8, 9]);
    flipped[flipped.length - 20] ^= 1;
    await put(folder, "pictures/even/empty.jpg", new Uint8Array());
    await put(folder, "pictures/even/text.png", new TextEncoder().encode("I was renamed"));
    await put(folder, "pictures/odd/flipped.png", flipped);
    await put(folder, "pictures/odd/cut.jpg", jpeg.subarray(0, jpeg.length / 2));
    const args = [...small, ...flags({ "training.max_steps": 2 })];
    const runs = await Promise.all([
      train(folder, [...args, "--out", "a"]),
      // Too little memory for all pictures: decoded when they are needed.
      train(folder, [...args, "--out", "b", "--data.cache_bytes", "5000"]),
    ]);
    const damaged = ["even/empty.jpg", "even/text.png", "odd/cut.jpg", "odd/flipped.png"];
    for (const [i, { code, stderr }] of runs.entries()) {
      assert.equal(code, 0, stderr);
      const named = [...stderr.matchAll(/^skipped: .*pictures\/(\w+\/\w+\.\w+): \S/gm)];
      assert.deepEqual(named.map(([, file]) => file).sort(), damaged);
      const rows = (await Deno.readTextFile(`${folder}/${"ab"[i]}/skipped.jsonl`)).trim().split(
        "\n",
      );
      const listed = rows.map((row) => JSON.parse(row));
      assert.deepEqual(listed.map(({ file }) => file.split("pictures/")[1]).sort(), damaged);
      assert.ok(listed.every(({ reason }) => reason.length > 10));
    }
    const [a, b] = await Promise.all(
      ["a", "b"].map((run) => Deno.readFile(`${folder}/${run}/teacher.safetensors`)),
    );
    assert.deepEqual(a, b, "the size of the cache changes nothing");
  },
);

runTest("train saves on SIGINT, ends with status 130 and can go on", async (folder, small) => {
  await Deno.mkdir(`${folder}/run`);
  const watcher = Deno.watchFs(`${folder}/run`);
  const long = flags({ "training.num_epochs": 100_000 });
  const { child, ended } = start(folder, [
    ...small,
    ...long,
    ...flags({ "training.max_steps": 100_000 }),
    "--out",
    "run",
  ]);
  ended.finally(() => watcher.close());
  for await (const { paths } of watcher) {
    if (paths.some((file) => file.endsWith("metrics.jsonl"))) break; // the loop has begun
  }
  child.kill("SIGINT");
  const { code, stderr } = await ended;
  assert.equal(code, 130, stderr);
  const step = Number(
    stderr.match(/stopped by SIGINT after step (\d+); go on with --resume --out run/)![1],
  );
  assert.equal((await loadCheckpoint(checkpoint(`${folder}/run`, step))).step, step);
  const more = flags({ "training.max_steps": step + 2 });
  const rest = await train(folder, [...small, ...long, ...more, "--out", "run", "--resume"]);
  assert.equal(rest.code, 0, rest.stderr);
  assert.equal((await loadCheckpoint(checkpoint(`${folder}/run`, step + 2))).step, step + 2);
});

runTest(
  "train stops at numbers that are not finite and keeps the last sound state",
  async (folder, small) => {
    const { code, stderr } = await train(folder, [
      ...small,
      ...flags({ "optimizer.lr": 1e6, "optimizer.lr_scale_by_batch": "false" }),
      ...flags({ "optimizer.weight_decay": 1e6, "optimizer.weight_decay_end": 1e6 }),
      "--out",
      "run",
    ]);
    assert.equal(code, 1, stderr);
    const message = stderr.slice(stderr.lastIndexOf("error: "));
    assert.match(
      message,
      /^error: Expected finite numbers but found NaN or infinity in the loss at step 2; the first was in .*lower optimizer\.lr[^\n]*\n$/,
    );
    const state = await loadCheckpoint(checkpoint(`${folder}/run`, 2));
    assert.deepEqual(state.stepCounts, { cls_token: 2, "head.last_layer.weight_v": 2 });
    for (const group of [state.student, state.teacher, ...state.moments.values()]) {
      for (const [name, values] of group) assert.ok(values.every(Number.isFinite), name);
    }
    assert.ok(state.buffers.get("center")!.every(Number.isFinite));
  },
);

runTest("train ends with one clear error where it cannot start", async (folder, small) => {
  await Deno.mkdir(`${folder}/empty`);
  const wrong = `${folder}/wrong.yaml`;
  await Deno.writeTextFile(wrong, "# mine\nloss:\n  teacher_tmp: 0.04\n");
  const cases: [RegExp, Promise<Awaited<ReturnType<typeof train>>>][] = [
    [
      /^error: .*wrong\.yaml:3:3: loss\.teacher_tmp: unknown key - did you mean "teacher_temp"\?\n$/,
      train(folder, [], wrong),
    ],
    [/^error: Cannot read none\.yaml: it does not exist[^\n]*\n$/, train(folder, [], "none.yaml")],
    [
      /^error: Expected a run of tiny to resume but found none in runs\/[^\n]*\n$/,
      train(folder, [...small, "--resume"]),
    ],
    [
      /^error: Expected a run to go on with but found none in nowhere[^\n]*\n$/,
      train(folder, [...small, "--resume", "--out", "nowhere"]),
    ],
    [
      /^error: Expected pictures \(PNG, JPEG, GIF or WebP\) in "empty" .* check data\.path\n$/,
      train(folder, [...small, "--data.path", "empty"]),
    ],
    [
      /^error: .*unknown option '--resum'\n\(Did you mean --resume\?\)\n$/,
      train(folder, ["--resum"]),
    ],
  ];
  for (const [pattern, ended] of cases) {
    const result = await ended;
    assert.equal(result.code, 1, result.stderr);
    assert.match(errorOf(result), pattern);
  }
});
