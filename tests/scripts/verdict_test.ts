/** The verdict on one run, in the same words wherever it stands. */
import assert from "node:assert/strict";
import { configDefaults, stringifyConfig } from "../../lib/config.ts";
import { escape } from "../../lib/draw/html.ts";
import { diagnosisOf } from "../../lib/from_config/verdict.ts";
import { qualityOf } from "../../lib/open_model/quality.ts";
import { makeReport } from "../../lib/report/make.ts";
import { readRun } from "../../lib/run/read.ts";
import { viewOf } from "../../scripts/dashboard/view.ts";
import healthy from "../diagnosis/healthy.json" with { type: "json" };
import { recordingOf } from "../diagnosis/recordings.ts";
import { folderTest } from "../support/permissions.ts";
import { script } from "../support/scripts.ts";

const VIEWS = "view retrieval R@1", BESIDE = { "random init": 0.7, "raw pixels": 3.7 };

/** A figure of some encoders. */
const judged = (shares: Record<string, number>) =>
  Object.entries(shares).map(([encoder, percent]) => ({
    group: "",
    metric: VIEWS,
    encoder,
    percent,
  }));

/** A run of 300 steps that ended, with what was measured of it. */
async function writeRun(folder: string, files: Record<string, string>): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const config = configDefaults();
  const yaml = stringifyConfig({
    ...config,
    data: { ...config.data, batch_size: 32 },
    training: { ...config.training, max_steps: 300 },
    model: { ...config.model, projection_output_dim: 1024 },
  });
  const data = { name: "drawings", pictures: 7572 };
  const all: Record<string, string> = {
    "metrics.jsonl": recordingOf(healthy).map((line) => JSON.stringify(line) + "\n").join(""),
    "config.yaml": yaml,
    "run.json": JSON.stringify({ parts: [{ data }] }),
    "teacher.safetensors": "",
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
  return folder;
}

folderTest(
  "doctor, report and dashboard say the same of a run below raw pixels",
  async (folder) => {
    const evaluation = JSON.stringify(judged({ teacher: 2, ...BESIDE }));
    const run = await writeRun(`${folder}/run`, { "evaluation.json": evaluation });
    const found = diagnosisOf(await readRun(run));
    assert.equal(found.verdict, "not useful yet");
    const { code, stdout, stderr } = await script("doctor", folder, ["run"]);
    assert.equal(code, 2, stderr);
    assert.match(stdout, /^verdict +not useful yet$/m);
    const page = await Deno.readTextFile((await makeReport(run)).path);
    assert.match(page, /<p class="verdict trouble">not useful yet /);
    const data = await readRun(run);
    const view = viewOf(
      { id: "run", data, version: 1, written: 0 } as Parameters<typeof viewOf>[0],
    );
    assert.deepEqual([view.verdict, view.tone], ["not useful yet", "trouble"]);
    assert.deepEqual(view.evidence, found.evidence);
    for (const sentence of [...found.evidence, found.remedy]) {
      assert.ok(stdout.includes(`  - ${sentence}\n`), `${sentence}\n${stdout}`);
      assert.ok(page.includes(escape(sentence)), sentence);
    }
    assert.match(stdout, /^what helps\n {2}- /m);
    assert.ok(page.includes("<h3>What helps</h3>"));
    assert.equal(view.remedy, `What helps: ${found.remedy}`);
  },
  ["run"],
);

folderTest(
  "what a run measured meanwhile is weighed with what was measured beside it once",
  async (folder) => {
    const line = (step: number, percent: number, more = {}) =>
      JSON.stringify({ step, figures: [{ metric: VIEWS, percent }], ...more }) + "\n";
    const baselines = judged(BESIDE);
    const evaluations = line(100, 1, { baselines }) + line(200, 20) + line(300, 21);
    const run = await writeRun(`${folder}/run`, { "evaluations.jsonl": evaluations });
    const data = await readRun(run);
    const verdictAt = (count: number) => {
      const { verdict, tone } = diagnosisOf({
        ...data,
        evaluations: data.evaluations.slice(0, count),
        finished: false,
      });
      return [verdict, tone];
    };
    assert.deepEqual(verdictAt(0), ["learning", "neutral"]);
    assert.deepEqual(verdictAt(1), ["not useful yet", "caution"]);
    assert.deepEqual(verdictAt(2), ["not useful yet", "caution"]);
    assert.deepEqual(verdictAt(3), ["healthy", "good"]);
    // A run from before has nothing beside it, but what its end has measured.
    const old = {
      ...data,
      evaluations: data.evaluations.map(({ step, figures }) => ({ step, figures })),
    };
    assert.equal(diagnosisOf({ ...old, finished: false }).verdict, "learning");
    const figures = judged({ teacher: 1, ...BESIDE });
    assert.equal(diagnosisOf({ ...old, figures, finished: false }).verdict, "healthy");
    assert.equal(diagnosisOf({ ...old, figures, finished: true }).verdict, "not useful yet");
  },
);

folderTest(
  "how good features are is told of those in use, or how to measure them",
  async (folder) => {
    const figures = judged({ "teacher (grid)": 20, "teacher (class)": 2, ...BESIDE });
    const evaluations = JSON.stringify({
      step: 200,
      figures: [{ encoder: "teacher (class)", metric: VIEWS, percent: 1 }],
      baselines: judged(BESIDE),
    }) + "\n";
    const run = await writeRun(`${folder}/run`, {
      "evaluation.json": JSON.stringify(figures),
      "evaluations.jsonl": evaluations,
    });
    const of = (name: string, readout: string) =>
      qualityOf({ folder: run, name, file: `${run}/x.safetensors` }, readout);
    assert.equal(
      await of("teacher", "class"),
      "How good these features (class) are, measured on 7,572 pictures of drawings at the end of training: " +
        "worse than raw pixels at finding a picture again by a crop of it (2.0 % against 3.7 %): not useful yet.",
    );
    assert.match(
      await of("teacher", "grid"),
      /^How good these features \(grid\) are, .*: better than raw pixels at .*: useful\.$/,
    );
    assert.match(
      await of("teacher at step 200", "class"),
      /at step 200: .*\(1\.0 % against 3\.7 %\): not useful/,
    );
    const unknown = `was not measured: deno task evaluate ${run} measures them.`;
    for (
      const [name, readout] of [
        ["student", "class"],
        ["teacher", "quad"],
        ["teacher", "grid, whitened"],
        ["teacher at step 100", "class"],
      ]
    ) {
      assert.equal(await of(name, readout), `How good these features (${readout}) are ${unknown}`);
    }
    assert.match(
      await qualityOf({ name: "x", file: "vits.safetensors" }, "class"),
      /^How good these features \(class\) are was not measured: deno task evaluate vits\.safetensors /,
    );
  },
);
