/** scripts/evaluate.ts as users start it. */
import assert from "node:assert/strict";
import { checkpoint, errorOf, flags, path, runTest, train } from "../support/runs.ts";

async function evaluate(cwd: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", path("scripts/evaluate.ts"), ...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(120_000),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

runTest(
  "evaluate measures a run, its checkpoint, and other pictures; features can be taken out",
  async (folder, small) => {
    const run = await train(folder, [
      ...small,
      ...flags({ "training.max_steps": 2 }),
      "--out",
      "run",
    ]);
    assert.equal(run.code, 0, run.stderr);
    const knn = flags({ "evaluation.knn_k": 3 });
    const table = await evaluate(folder, "run", "--features", "f.npy", "--pixels", ...knn);
    assert.equal(table.code, 0, table.stderr);
    for (
      const metric of [
        "view retrieval R@1",
        "folder k-NN (k 3)",
        "RankMe",
        "folder linear probe",
        "folder k-means NMI",
      ]
    ) {
      assert.ok(table.stdout.includes(metric), metric);
    }
    const rows = (await Deno.readTextFile(`${folder}/f.csv`)).trim().split("\n");
    assert.equal(rows[0], "index,id,folder");
    assert.equal(rows.length, 9);
    const npy = await Deno.readFile(`${folder}/f.npy`);
    assert.match(new TextDecoder().decode(npy.subarray(10, 80)), /'shape': \(8, 16\)/);

    const file = checkpoint("run", 2);
    const [whole, again] = await Promise.all([
      evaluate(folder, "run", "--json", ...knn),
      evaluate(folder, file, "--json", ...knn),
    ]);
    const measures = JSON.parse(whole.stdout).measures;
    assert.deepEqual(JSON.parse(again.stdout).measures, measures);
    const before = JSON.parse(await Deno.readTextFile(`${folder}/run/evaluation.json`));
    const retrieval = before.find((f: { metric: string; encoder: string }) =>
      f.metric === "view retrieval R@1" && f.encoder === "teacher"
    );
    assert.equal(measures.model[0].value, retrieval.percent, "as at the end of the run");
  },
);

runTest("evaluate says what is wrong", async (folder) => {
  await Deno.mkdir(`${folder}/empty`);
  await Deno.writeTextFile(`${folder}/text.safetensors`, "no weights");
  const cases: [RegExp, string[]][] = [
    [/Expected teacher\.safetensors or a checkpoint in empty/, ["empty"]],
    [/found no config\.yaml beside it/, ["text.safetensors"]],
    [/text\.safetensors/, ["text.safetensors", "--config", path("configs/tiny.yaml")]],
    [/none\.safetensors/, ["none.safetensors", "--config", path("configs/tiny.yaml")]],
  ];
  const results = await Promise.all(cases.map(([, args]) => evaluate(folder, ...args)));
  results.forEach((result, i) => {
    assert.equal(result.code, 1, result.stderr);
    assert.match(errorOf(result), cases[i][0]);
  });
});
