/** scripts/evaluate.ts as users start it. */
import assert from "node:assert/strict";
import { configDefaults, type Override, parseConfig, stringifyConfig } from "../../lib/config.ts";
import { forOtherPictures } from "../../lib/from_config/evaluation.ts";
import type { Figure } from "../../lib/eval/figures.ts";
import { float32Tensor, serializeSafetensors } from "../../lib/io/safetensors.ts";
import { checkpoint, errorOf, flags, path, runTest, train } from "../support/runs.ts";
import { script } from "../support/scripts.ts";

const evaluate = (cwd: string, ...args: string[]) => script("evaluate", cwd, args);

runTest(
  "evaluate measures a run, its checkpoint, and other pictures; features can be taken out",
  async (folder, small) => {
    const run = await train(folder, [
      ...small,
      ...flags({ "training.max_steps": 2, "model.feature": "quad" }),
      "--out",
      "run",
    ]);
    assert.equal(run.code, 0, run.stderr);
    const before: Figure[] = JSON.parse(await Deno.readTextFile(`${folder}/run/evaluation.json`));
    const knn = flags({ "evaluation.knn_k": 3, "evaluation.linear_epochs": 2 });
    const table = await evaluate(
      folder,
      "run",
      "--features",
      "f.npy",
      ...knn,
    );
    assert.equal(table.code, 0, table.stderr);
    for (
      const metric of [
        "view retrieval R@1",
        "folder k-NN (k 3)",
        "RankMe",
        "folder linear probe (ridge)",
        "folder linear probe (SGD)",
        "folder k-means NMI",
      ]
    ) {
      assert.ok(table.stdout.includes(metric), metric);
    }
    const rows = (await Deno.readTextFile(`${folder}/f.csv`)).trim().split("\n");
    assert.equal(rows[0], "index,id,folder,k-means folder");
    assert.equal(rows.length, 9);
    const shapeOf = async (name: string) => {
      const npy = new TextDecoder().decode(await Deno.readFile(`${folder}/${name}.npy`));
      return npy.match(/'shape': \((.*?)\)/)![1];
    };
    // What the configuration reads out is in the file that was named, the others are beside it.
    const names = ["f", "f.class", "f.grid", "f.grid.views"];
    const shapes = await Promise.all(names.map(shapeOf));
    assert.deepEqual(shapes, ["8, 64", "8, 16", "8, 256", "8, 256"]);
    const npy = await Deno.readFile(`${folder}/f.npy`);
    assert.match(
      table.stdout,
      /^verdict: (useful|useful in part|not useful yet): .*(than|as) raw pixels /m,
    );
    const columns = table.stdout.split("\n").find((line) => line.includes("raw pixels"))!;
    assert.match(
      columns,
      /teacher \(class\) +teacher \(quad\) +teacher \(grid\) +random init \(quad\) +raw pixels$/,
    );
    assert.match(table.stdout, /raw pixels \(whitened\)$/m);
    assert.match(table.stdout, /^best readout here \(of 6\): /m);

    const views = await Deno.readFile(`${folder}/f.views.npy`);
    assert.equal(views.length, npy.length);
    assert.notDeepEqual(views, npy);

    // The run's checkpoint, elsewhere: it has its configuration with it. The other network, other pictures.
    const file = `${folder}/copied.safetensors`;
    await Deno.copyFile(checkpoint(`${folder}/run`, 2), file);
    const [whole, again, student, apart] = await Promise.all([
      evaluate(folder, "run", "--json", "--features", "f.npy", "--no-pixels", ...knn), // its own files: again
      evaluate(folder, file, "--json", "--no-pixels", ...knn),
      evaluate(folder, file, "--student", "--json", ...knn),
      evaluate(
        folder,
        "run",
        "--checkpoint",
        "checkpoint-00000002.safetensors",
        "--json",
        ...knn,
        ...flags({
          "data.path": "pictures",
          "evaluation.test_path": "pictures",
        }),
      ),
    ]);
    for (const { code, stderr } of [whole, again, student, apart]) assert.equal(code, 0, stderr);
    const numbers = ({ stdout }: { stdout: string }) =>
      JSON.parse(stdout).figures.map(({ encoder: _, ...figure }: Figure) => figure);
    assert.deepEqual(numbers(again), numbers(whole));
    assert.notDeepEqual(numbers(student), numbers(whole));
    const tested = JSON.parse(apart.stdout);
    assert.deepEqual([tested.pictures, tested.tested], [8, 8]);
    const found = new Map(tested.figures.map((f: Figure) => [f.metric, f.percent]));
    assert.equal(
      found.get("folder retrieval R@1"),
      100,
      "every picture finds itself in the gallery",
    );

    const kept: Figure[] = JSON.parse(await Deno.readTextFile(`${folder}/run/evaluation.json`));
    assert.deepEqual(
      [...new Set(kept.map(({ encoder }) => encoder))].sort(),
      [
        "random init (quad)",
        "random init (quad, whitened)",
        "raw pixels",
        "raw pixels (whitened)",
        "teacher (class)",
        "teacher (class, whitened)",
        "teacher (grid)",
        "teacher (grid, whitened)",
        "teacher (quad)",
        "teacher (quad, whitened)",
      ],
    );
    const of = (list: Figure[]) =>
      list.find((f) => f.metric === "view retrieval R@1" && f.encoder === "teacher (quad)")!
        .percent;
    assert.equal(of(kept), of(before), "as at the end of the run");
    assert.ok(kept.some(({ metric }) => metric.includes("linear probe (SGD)")));
  },
);

runTest(
  "evaluate writes over no file of others, and says its figures also where it cannot keep them",
  async (folder, small) => {
    const settings = flags({ "training.max_steps": 1, "evaluation.linear_epochs": 1 });
    const run = await train(folder, [...small, ...settings, "--out", "run"]);
    assert.equal(run.code, 0, run.stderr);
    const list = "path,\x1b[2Jkind\n" +
      [0, 1, 2, 3].map((i) => `pictures/${i % 2 ? "odd" : "even"}/${i}.png,${i % 2}\n`)
        .join("");
    await Deno.writeTextFile(`${folder}/list.csv`, list);
    await Deno.writeTextFile(`${folder}/f.test.csv`, "of others");
    const cases: [RegExp, string[]][] = [
      [/Cannot write list\.csv: this command reads that file: name another file/, [
        "--data.path",
        "list.csv",
        "--features",
        "list.npy",
        "--overwrite",
      ]],
      [/f\.test\.csv: a file that this command did not make is there: .* --overwrite/, [
        ...["--evaluation.test_path", "pictures"],
        "--features",
        "f.npy",
      ]],
      [/Cannot write no\/f\.npy: the folder no does not exist/, ["--features", "no/f.npy"]],
    ];
    // The run's own list of figures cannot be written: nobody asked for it, so that is no error.
    await Deno.remove(`${folder}/run/evaluation.json`);
    await Deno.mkdir(`${folder}/run/evaluation.json`);
    const [kept, named, ...refused] = await Promise.all([
      evaluate(folder, "run"),
      evaluate(folder, "run", "--data.path", "list.csv"),
      ...cases.map(([, args]) => evaluate(folder, "run", ...args)),
    ]);
    assert.equal(kept.code, 0, kept.stderr);
    assert.match(kept.stdout, /RankMe/);
    assert.match(kept.stderr, /^warning: the figures are not kept: Cannot .*evaluation\.json/m);
    assert.equal(named.code, 0, named.stderr);
    assert.match(named.stdout, /^\\x1b\[2Jkind retrieval R@1 /m);
    refused.forEach((result, i) => {
      assert.equal(result.code, 1, `${cases[i][1]}: ${result.stderr}`);
      assert.match(errorOf(result), cases[i][0]);
    });
    assert.equal(await Deno.readTextFile(`${folder}/list.csv`), list);
    assert.equal(await Deno.readTextFile(`${folder}/f.test.csv`), "of others");
  },
);

runTest(
  "a run is judged by its test set, and goes on where that cannot be opened",
  async (folder, small) => {
    const start = (out: string, test: string) =>
      train(folder, [
        ...small,
        ...flags({
          "training.max_steps": 4,
          "evaluation.every_n_epochs": 1,
          "evaluation.knn_k": 3,
          "evaluation.test_path": test,
        }),
        "--out",
        out,
      ]);
    const [tested, untested] = await Promise.all([start("a", "pictures"), start("b", "nowhere")]);
    for (const [out, { code, stderr }] of [["a", tested], ["b", untested]] as const) {
      assert.equal(code, 0, stderr);
      const lines = (await Deno.readTextFile(`${folder}/${out}/evaluations.jsonl`)).trim().split(
        "\n",
      );
      const { figures, baselines } = JSON.parse(lines[0]);
      const beside = new Set(baselines.map(({ encoder }: Figure) => encoder));
      assert.deepEqual([...beside], ["random init (class)", "raw pixels"]);
      for (const line of lines.slice(1)) assert.equal(JSON.parse(line).baselines, undefined);
      assert.match(stderr, /^step 2: .*; .*(than|as) raw pixels at .*/m);
      const recall = figures.find(({ metric }: Figure) =>
        metric === "folder retrieval R@1"
      ).percent;
      if (out === "a") assert.equal(recall, 100, "every picture finds itself in the gallery");
      else assert.match(stderr, /warning: .*nowhere.*judged by all others instead/);
    }
    assert.doesNotMatch(tested.stderr, /warning: (?!4 steps are few)/);
  },
);

runTest("evaluate says what is wrong", async (folder) => {
  await Deno.mkdir(`${folder}/empty`);
  await Deno.writeTextFile(`${folder}/text.safetensors`, "no weights");
  const other = float32Tensor(new Float32Array(4), [4]);
  await Deno.writeFile(
    `${folder}/other.safetensors`,
    serializeSafetensors(new Map([["cls_token", other]])),
  );
  const cases: [RegExp, string[]][] = [
    [/Expected teacher\.safetensors or a checkpoint in empty/, ["empty"]],
    [/Expected the weights of a vision transformer or a ResNet in other\.safetensors/, [
      "other.safetensors",
    ]],
    [/Expected the weights of a vision transformer or a ResNet in other\.safetensors/, [
      "other.safetensors",
      "--config",
      path("configs/tiny.yaml"),
    ]],
    [/text\.safetensors/, ["text.safetensors", "--config", path("configs/tiny.yaml")]],
    [/Expected the folder of a run beside --checkpoint/, ["a.safetensors", "--checkpoint", "b"]],
    [/ends with \.npy after --features but found f\.txt/, ["empty", "--features", "f.txt"]],
    [/none\.safetensors/, ["none.safetensors", "--config", path("configs/tiny.yaml")]],
  ];
  const results = await Promise.all(cases.map(([, args]) => evaluate(folder, ...args)));
  results.forEach((result, i) => {
    assert.equal(result.code, 1, result.stderr);
    assert.match(errorOf(result), cases[i][0]);
  });
});

Deno.test("forOtherPictures() takes back what the run says of its own pictures", () => {
  const run =
    "data: {dataset: mnist, split: train}\nmodel: {in_chans: 1}\nevaluation: {test_path: t}";
  const under = (...overrides: Override[]) =>
    parseConfig(run, { overrides: forOtherPictures(overrides) });
  const own = under({ key: "data.num_workers", value: "1" });
  assert.deepEqual([own.data.dataset, own.data.split, own.evaluation.test_path], [
    "mnist",
    "train",
    "t",
  ]);
  const folder = under({ key: "data.path", value: "x" });
  assert.deepEqual([folder.data.dataset, folder.data.path], ["folder", "x"]);
  assert.deepEqual([folder.data.split, folder.evaluation.test_path], ["all", null]);
  const emoji = under({ key: "data.dataset", value: "emoji_base" });
  assert.deepEqual([emoji.data.dataset, emoji.data.path], ["emoji_base", null]);
  // A run of the emoji set, and a folder.
  const back = parseConfig(stringifyConfig(configDefaults()), {
    overrides: forOtherPictures([{ key: "data.path", value: "x" }, {
      key: "data.split",
      value: "val",
    }]),
  });
  assert.deepEqual([back.data.dataset, back.data.split], ["folder", "val"]);
});
