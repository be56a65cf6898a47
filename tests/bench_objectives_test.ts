/** The table of objectives without training: rows, commands, what is kept and what is shown. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readObjectivesArguments } from "../bench/objectives/arguments.ts";
import {
  commandOf,
  commandText,
  type Found,
  type Job,
  overridesOf,
  readFound,
  writeFound,
} from "../bench/objectives/job.ts";
import { READOUTS, type Row, ROWS } from "../bench/objectives/rows.ts";
import { meanSpread, tablesOf } from "../bench/objectives/table.ts";
import { train, WEIGHTS, weightsOf } from "../bench/objectives/train.ts";
import { checkComparable } from "../bench/quality/recipe.ts";
import { modelOf } from "../lib/from_config.ts";
import { readConfig } from "../lib/io/config_file.ts";
import { folderTest, permissionTest } from "./support/permissions.ts";

const rowOf = (name: string) => ROWS.find((row) => row.name === name)!;
const jobOf = (name: string, more: Partial<Job> = {}): Job => {
  return { row: rowOf(name), seed: 1, folder: join("out", name), extra: [], ...more };
};

permissionTest(
  ["read"],
  "every row is a configuration that holds, under a name of its own",
  async () => {
    assert.equal(new Set(ROWS.map(({ name }) => name)).size, ROWS.length);
    for (const row of ROWS) {
      const job = { row, seed: 3, folder: "", extra: [] };
      const { config } = await readConfig(row.config, { overrides: overridesOf(job) });
      assert.equal(config.training.seed, 3);
      assert.ok(modelOf(config).specs().length);
      if (row.by === "simdino") checkComparable(config, row.by);
    }
  },
);

Deno.test("commandOf() trains by whom a row says, into its folder; commandText() leaves that out", () => {
  const extra = [{ key: "training.max_steps", value: "2" }];
  const job = jobOf("infonce-quad", { extra });
  const args = commandOf(job)!;
  assert.deepEqual(args.slice(0, 3), ["task", "train", "configs/dino-small.yaml"]);
  assert.equal(args[args.indexOf("--out") + 1], join("out", "infonce-quad", "run"));
  for (const pair of ["--loss.objective infonce", "--training.seed 1", "--training.max_steps 2"]) {
    assert.ok(args.join(" ").includes(pair), pair);
  }
  assert.doesNotMatch(commandText(job), /--out/);
  assert.match(commandText(jobOf("simdino")), /^deno task bench:quality .*--objective simdino/);
  assert.equal(commandOf(jobOf("untrained")), undefined);
  assert.equal(commandText(jobOf("untrained")), "initial weights of seed 1");
});

const found = (job: Job, more: Partial<Found> = {}): Found => ({
  command: commandText(job),
  judged: "5 pictures of dots",
  adapter: "an adapter",
  figures: {},
  ...more,
});

folderTest(
  "readFound() gives what writeFound() kept, and refuses that of another command",
  async (folder) => {
    const job = jobOf("dino", { folder: join(folder, "dino", "seed-1") });
    assert.equal(await readFound(job), undefined);
    const kept = found(job, { seconds: 2, figures: { grid: { "view retrieval R@1": 3 } } });
    await writeFound(job, kept);
    assert.deepEqual(await readFound(job), kept);
    await assert.rejects(readFound({ ...job, seed: 2 }), /the row has changed/);
    await Deno.writeTextFile(join(job.folder, "figures.json"), "{");
    await assert.rejects(readFound(job), /Expected JSON in .*delete it/);
  },
);

folderTest("train() does nothing where weights lie already", async (folder) => {
  const job = jobOf("dino", { folder });
  assert.equal(await weightsOf(job), undefined);
  const [, student] = WEIGHTS.hatchling;
  await Deno.mkdir(join(folder, "run"));
  await Deno.writeTextFile(join(folder, "run", student), "");
  assert.equal(await weightsOf(job), join(folder, "run", student));
  assert.deepEqual(await train(job, () => false), { stopped: false });
  const untrained = jobOf("untrained", { folder });
  assert.deepEqual([await weightsOf(untrained), await train(untrained, () => false)], [
    undefined,
    { stopped: false },
  ]);
});

Deno.test("meanSpread() has the sample's standard deviation, of two values and more", () => {
  assert.equal(meanSpread([]), "");
  assert.equal(meanSpread([37.84]), "37.8");
  assert.equal(meanSpread([1, 3]), "2.0 ± 1.4");
  assert.equal(meanSpread([10, 20, 30], 0), "20 ± 10");
});

Deno.test("tablesOf() shows what was asked for, pixels always, each data set by itself", () => {
  const done = (name: string, figures: Found["figures"][], more: Partial<Found> = {}) => ({
    row: rowOf(name) as Row,
    seeds: figures.map((figures, seed) => {
      const job = jobOf(name, { seed });
      return { job, found: found(job, { figures, seconds: 60 + 2 * seed, ...more }) };
    }),
  });
  const metrics = (a: number) => ({
    "google → twitter R@1": a,
    "google → twitter R@5": a + 10,
    "category k-NN (k 10)": a + 20,
    "subcategory k-NN (k 10)": 99,
    "view retrieval R@1": a / 2,
  });
  const text = tablesOf([
    done("pixels", [{ pixels: metrics(30), "pixels W": metrics(40) }], { seconds: undefined }),
    done("dino", [{ class: metrics(8), grid: metrics(30), "grid W": metrics(38) }, {
      class: metrics(10),
      grid: metrics(32),
      "grid W": metrics(38),
    }]),
    done("simdino", []),
    done("mnist", [{ grid: { "digit k-NN (k 10)": 97, "view retrieval R@1": 1 } }]),
  ], ["class", "grid W"]);
  for (
    const line of [
      "| raw 16 × 16 pixels | pixels | 30.0 | 40.0 | 50.0 | 15.0 | 1 |  |",
      "|  | pixels W | 40.0 | 50.0 | 60.0 | 20.0 |  |  |",
      "| DINO | class | 9.0 ± 1.4 | 19.0 ± 1.4 | 29.0 ± 1.4 | 4.5 ± 0.7 | 2 | 61 ± 1 |",
      "|  | grid W | 38.0 ± 0.0 | 48.0 ± 0.0 | 58.0 ± 0.0 | 19.0 ± 0.0 |  |  |",
      "deno task train configs/mnist.yaml --training.seed 0",
    ]
  ) assert.ok(text.includes(line), `${line} in\n${text}`);
  assert.doesNotMatch(text, /\| grid \||SimDINO| 99\.0|NaN|undefined/);
  assert.equal(text.match(/^Judged on/gm)!.length, 2);
  assert.equal(tablesOf([done("dino", [])], ["grid"]), "");
});

Deno.test("readObjectivesArguments() knows the rows", () => {
  const all = readObjectivesArguments([]);
  assert.deepEqual([all.rows.length, all.seeds, all.report], [ROWS.length, [0, 1], false]);
  const some = readObjectivesArguments([
    ...["--rows", "dino, simdino", "--seeds", "4", "--readouts", "grid,quad W", "--report"],
    ...["--training.max_steps", "3"],
  ]);
  assert.deepEqual(some.rows.map(({ name }) => name), ["dino", "simdino"]);
  assert.deepEqual([some.seeds, some.readouts, some.report], [[4], ["grid", "quad W"], true]);
  assert.deepEqual(some.extra, [{ key: "training.max_steps", value: "3" }]);
  assert.throws(
    () => readObjectivesArguments(["--rows", "dyno"]),
    /rows among pixels, .* found dyno/,
  );
  assert.ok(READOUTS.includes("grid"));
});
