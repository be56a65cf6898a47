/** Runs on several ranks, by mpirun. */
import assert from "node:assert/strict";
import { alike, ranksRunTest, trainRanks } from "../support/ranks.ts";
import { checkpoint, errorOf, flags, train } from "../support/runs.ts";
import { parseMetrics } from "../../lib/diagnosis.ts";
import { loadCheckpoint } from "../../lib/io/checkpoint.ts";

const SIX = flags({
  "training.num_epochs": 6,
  "training.max_steps": 6,
  "data.batch_size": 6,
  "training.freeze_last_layer": 0,
  "logging.log_every_n_iters": 1,
  "checkpoint.save_every_n_iters": 3,
  "checkpoint.keep_last_n": 9,
});

/** Curves that only several ranks have. */
const OF_RANKS = /^curves\/(communication|rank-time)/;

const lines = (run: string) => parseMetrics(Deno.readTextFileSync(`${run}/metrics.jsonl`)).lines;

/** Names of what a run has left, folders' contents included. */
function namesIn(run: string, below = ""): string[] {
  return [...Deno.readDirSync(`${run}/${below}`)].flatMap(({ name, isDirectory }) =>
    isDirectory ? namesIn(run, `${below}${name}/`) : [`${below}${name}`]
  ).sort();
}

/** The same losses but for the rounding of sums, which the steps before carry on. */
function assertSameLosses(run: string, other: string): void {
  const [a, b] = [run, other].map(lines);
  assert.equal(a.length, b.length);
  for (const [i, { step, loss }] of a.entries()) {
    assert.equal(b[i].step, step);
    const error = Math.abs(b[i].loss! - loss!) / Math.abs(loss!);
    assert.ok(error < 1e-3, `step ${step}: a loss of ${b[i].loss} instead of ${loss}`);
  }
}

ranksRunTest(
  "ranks train what one trains, with the same bits each time, into one folder, whatever their number",
  async (folder, small) => {
    const args = [...small, ...SIX];
    const one = await train(folder, [...args, "--out", "one"]);
    assert.equal(one.code, 0, one.stderr);
    const two = await trainRanks(folder, [...args, "--out", "two"], alike(2));
    assert.equal(two.code, 0, two.stderr);
    assert.equal(two.stderr.match(/^2 ranks: 2 on .+$/gm)?.length, 1, two.stderr);
    for (const once of [/^report: /gm, /^run folder: two$/gm]) {
      assert.equal(two.stdout.match(once)?.length, 1, two.stdout);
    }
    assertSameLosses(`${folder}/one`, `${folder}/two`);
    const [alone, together] = ["one", "two"].map((run) => namesIn(`${folder}/${run}`));
    assert.deepEqual(together.filter((name) => !OF_RANKS.test(name)), alone);
    const { parts } = JSON.parse(Deno.readTextFileSync(`${folder}/two/run.json`));
    assert.equal(parts[0].ranks.length, 2);
    assert.ok(parts[0].ranks[1].host && parts[0].ranks[1].adapter);
    assert.equal(lines(`${folder}/two`).at(-1)!.rank_compute_ms?.length, 2);

    // In two parts, the second on three ranks.
    const half = flags({ "training.max_steps": 3 });
    const part = await trainRanks(folder, [...args, ...half, "--out", "parts"], alike(2));
    assert.equal(part.code, 0, part.stderr);
    const [a, b] = await Promise.all(
      ["two", "parts"].map((run) => loadCheckpoint(checkpoint(`${folder}/${run}`, 3))),
    );
    for (const key of ["student", "teacher", "moments", "buffers"] as const) {
      assert.deepEqual(b[key], a[key], key);
    }
    const rest = await trainRanks(folder, [...args, "--out", "parts", "--resume"], alike(3));
    assert.equal(rest.code, 0, rest.stderr);
    assert.match(rest.stderr, /resuming after step 3/);
    assertSameLosses(`${folder}/two`, `${folder}/parts`);
  },
);

ranksRunTest(
  "ranks that would not train the same are refused, and leave nothing behind",
  async (folder, small) => {
    const args = [...small, ...SIX, "--out", "run"];
    await Deno.mkdir(`${folder}/fewer`);
    for (const name of ["0", "2", "4"]) {
      await Deno.copyFile(`${folder}/pictures/even/${name}.png`, `${folder}/fewer/${name}.png`);
    }
    const refusals: [Parameters<typeof trainRanks>[2], RegExp][] = [
      [
        [{}, { args: ["--optimizer.lr", "1", "--data.path", "fewer"] }],
        /^error: Expected all ranks to have what rank 0 on .+ has but found\n {2}rank 1 on .+: optimizer\.lr: 1 instead of no value\n {2}rank 1 on .+: 3 pictures instead of 8\n/m,
      ],
      [[{}, { args: ["--data.path", "nowhere"] }], /^error: rank 1 on .+: .*nowhere/m],
      [
        alike(4),
        /^error: rank 0 on .+: Expected data\.batch_size to divide among 4 ranks but found 6/m,
      ],
    ];
    for (const [ranks, words] of refusals) {
      const { code, stderr } = await trainRanks(folder, args, ranks);
      assert.equal(code, 1, stderr);
      assert.match(stderr, words);
      assert.equal(stderr.match(/^error: /gm)?.length, 1, stderr);
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "fewer",
      "pictures",
    ]);
  },
);

ranksRunTest("ranks that are asked for no run end together, with its status", async (folder) => {
  const cases: [string[], number, RegExp][] = [
    [["--help"], 0, /^$/],
    [["--wait"], 1, /^error: unknown option '--wait'$/m],
  ];
  for (const [args, status, says] of cases) {
    const { code, stdout, stderr } = await trainRanks(folder, args, alike(2));
    assert.equal(code, status, stderr);
    assert.match(stderr.trim(), says);
    assert.doesNotMatch(stderr, /exiting improperly/); // without the end of OpenMPI
    assert.equal(stdout.match(/^Usage: /gm)?.length ?? 0, status === 0 ? 1 : 0, stdout);
  }
});

ranksRunTest(
  "what several ranks cannot train is refused before anything is read for it",
  async (folder) => {
    const cases: [Record<string, string | number>, RegExp][] = [
      [
        { "loss.centering": "sinkhorn_knopp" },
        /one rank with centering sinkhorn_knopp but found 2/,
      ],
      [
        { "model.backbone": "resnet18", "model.dim": 512, "model.depth": 1, "model.heads": 1 },
        /one rank with a ResNet-18 but found 2/,
      ],
    ];
    for (const [settings, words] of cases) {
      const args = [...flags({ ...settings, "data.path": "nowhere" }), "--out", "run"];
      const { code, stderr } = await trainRanks(folder, args, alike(2));
      assert.equal(code, 1, stderr);
      assert.match(errorOf({ stderr }), words);
      assert.doesNotMatch(stderr, /nowhere|prov|^Device/m);
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["pictures"]);
  },
);

ranksRunTest(
  "a rank that computes wrong is named before anything is saved; numbers that are not finite are those of all",
  async (folder, small) => {
    const args = [...small, ...SIX, ...flags({ "training.on_non_finite": "skip" })];
    const wrong = await trainRanks(
      folder,
      [...args, "--training.on_non_finite", "stop", "--out", "wrong"],
      [{}, { fault: "drop:4:^attention" }],
    );
    assert.equal(wrong.code, 1, wrong.stderr);
    assert.match(wrong.stderr, /a canary found a wrong one: rank 1 on .+: .*attention/);
    const names = namesIn(`${folder}/wrong`);
    const report = names.find((name) => name.startsWith("canary-"))!;
    assert.equal(JSON.parse(Deno.readTextFileSync(`${folder}/wrong/${report}`)).rank, 1);
    assert.ok(!names.includes("checkpoint-00000006.safetensors"), names.join());

    // Pictures of one rank alone.
    const skips = await trainRanks(folder, [...args, "--out", "skips"], [{}, { fault: "views:2" }]);
    assert.equal(skips.code, 0, skips.stderr);
    assert.match(
      skips.stderr,
      /warning: NaN or infinity in .* at step 2; the first was in rank 1 on .+: crops.*Batch 2 is left out/,
    );
    assert.deepEqual(
      (await loadCheckpoint(checkpoint(`${folder}/skips`, 6))).extra?.skippedSteps,
      [2],
    );
    const { first, pictures } = JSON.parse(
      Deno.readTextFileSync(`${folder}/skips/non-finite-00000002.json`),
    );
    assert.equal(first.rank, 1);
    assert.deepEqual(pictures.map(({ rank }: { rank: number }) => rank), [1, 1, 1]);
    // A teacher temperature: what is lost of it is lost for all.
    const stops = await trainRanks(
      folder,
      [...args, "--training.on_non_finite", "stop", "--out", "stops"],
      [{}, { fault: "nan:2" }],
    );
    assert.equal(stops.code, 1, stops.stderr);
    assert.match(
      errorOf(stops),
      /Expected finite numbers but found NaN or infinity in .* at step 2/,
    );
    assert.equal((await loadCheckpoint(checkpoint(`${folder}/stops`, 2))).step, 2);
  },
);

ranksRunTest(
  "a rank whose weights come to differ, or whose device is lost, ends the run by name",
  async (folder, small) => {
    const args = [...small, ...SIX, "--out"];
    const differs = await trainRanks(folder, [...args, "differs"], [{}, { fault: "drop:0:^adam" }]);
    assert.equal(differs.code, 1, differs.stderr);
    assert.match(
      errorOf(differs),
      /^error: Expected the same weights on all ranks after step 1 but found others on rank 1 on .+ \(student and teacher\)/,
    );
    assert.ok(!namesIn(`${folder}/differs`).some((name) => /^checkpoint-.*[1-9]/.test(name)));
    const lost = await trainRanks(folder, [...args, "lost"], [{}, { fault: "lose:60" }]);
    assert.equal(lost.code, 1, lost.stderr);
    assert.match(
      errorOf(lost),
      /^error: rank 1 on .+: The GPU device was lost .*go on with --resume/s,
    );
  },
);
