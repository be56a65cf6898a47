/** scripts/report/: from the folder of a run to its page and curves. */
import assert from "node:assert/strict";
import { configDefaults, stringifyConfig } from "../../lib/config.ts";
import { pictureOf } from "../../lib/draw/canvas.ts";
import { chartsOf, marksOf } from "../../lib/report/charts.ts";
import { svgFile, svgOf } from "../../lib/report/curves.ts";
import { makeReport } from "../../lib/report/make.ts";
import { pngOf } from "../../lib/report/png.ts";
import { isRun } from "../../lib/run/find.ts";
import { readRun } from "../../lib/run/read.ts";
import { type Point, smoothed, thinned } from "../../lib/report/thin.ts";
import { folderTest } from "../support/permissions.ts";
import { path } from "../support/runs.ts";
import { HANG_MS } from "../support/hang.ts";

const HOSTILE = `<img src=x onerror="alert(1)">'&</script><script>alert(2)</script>`;

const line = (step: number, more = {}) => ({
  step,
  epoch: step / 10,
  loss: 5 - step / 100,
  teacher_entropy: 3,
  teacher_entropy_of_mean: 5,
  kl_teacher_student: 1,
  lr: 1e-3,
  images_per_second: 100,
  gpu_bytes: 2 ** 20,
  ...more,
});

const rows = (values: unknown[]) => values.map((value) => JSON.stringify(value) + "\n").join("");

/** A run that went on from step 50, with names that are HTML. */
async function hostileRun(folder: string): Promise<string> {
  const run = `${folder}/<b>run & co`;
  await Deno.mkdir(run);
  const write = (name: string, text: string) => Deno.writeTextFile(`${run}/${name}`, text);
  const before = Array.from({ length: 70 }, (_, i) => line(i + 1));
  const after = Array.from({ length: 50 }, (_, i) => line(i + 51));
  await write("metrics.jsonl", rows([...before, ...after]) + '{"step":101,"lo');
  const judged = (step: number, percent: number) => ({
    step,
    figures: [{ metric: `${HOSTILE} k-NN (k 5)`, percent }, {
      metric: `\x07${HOSTILE}`,
      percent: 3,
    }, {
      metric: "alignment",
      value: 0.5,
    }],
  });
  await write("evaluations.jsonl", rows([judged(40, 10), judged(60, 90), judged(60, 20)]));
  const part = { started: "2026-01-01T00:00:00Z", command: ["a b", HOSTILE], folder: "/x" };
  const data = { name: HOSTILE, pictures: 320, fingerprint: "abc" };
  const parts = [{ ...part, step: 0, data }, { ...part, step: 50, data }];
  await write("run.json", JSON.stringify({ parts }));
  await write("skipped.jsonl", rows([{ file: HOSTILE, reason: HOSTILE }]));
  await write("config.yaml", stringifyConfig(configDefaults()) + `# ${HOSTILE}\n`);
  const figure = { group: HOSTILE, metric: `${HOSTILE} k-NN (k 5)`, percent: 20 };
  await write(
    "evaluation.json",
    JSON.stringify([{ ...figure, encoder: "teacher" }, { ...figure, encoder: HOSTILE }]),
  );
  await write("non-finite-00000077.json", JSON.stringify({ step: 77, what: HOSTILE }));
  return run;
}

Deno.test("thinned() keeps every peak of a long curve, in order", () => {
  const points: Point[] = Array.from({ length: 100_000 }, (_, i) => [i, Math.sin(i)]);
  points[54_321] = [54_321, 99];
  points[77_777] = [77_777, -99];
  const few = thinned(points, 100);
  assert.ok(few.length <= 400 && few.length >= 100, `${few.length}`);
  assert.ok(few.some(([x, y]) => x === 54_321 && y === 99));
  assert.ok(few.some(([x, y]) => x === 77_777 && y === -99));
  assert.deepEqual([few[0], few.at(-1)], [points[0], points.at(-1)]);
  assert.ok(few.every(([x], i) => i === 0 || x > few[i - 1][0]));
  assert.equal(smoothed(points.slice(0, 10)), undefined);
  const flat = smoothed(Array.from({ length: 100 }, (_, i): Point => [i, 2]))!;
  assert.ok(flat.every(([, y]) => y === 2) && flat.length === 100);
});

folderTest(
  "readRun() gives a resumed run one line of steps, torn and repeated ones left out",
  async (folder) => {
    const run = await readRun(await hostileRun(folder));
    assert.deepEqual(
      run.lines.map(({ step }) => step),
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    assert.deepEqual(
      run.evaluations.map(({ step, figures }) => [step, figures[0].percent]),
      [[40, 10], [60, 20]],
    );
    assert.deepEqual(marksOf(run).resumes, [50]);
    assert.deepEqual(run.bad, [{ step: 77, what: HOSTILE }]);
    const loss = chartsOf(run)[0].series[0].points;
    assert.ok(loss.every(([x], i) => i === 0 || x > loss[i - 1][0]));
    assert.equal(run.running, false);
    assert.equal(run.finished, false);
  },
);

folderTest(
  "svgOf() is well-formed whatever names are, and pngOf() draws it with its text",
  async (folder) => {
    const run = await readRun(await hostileRun(folder)), marks = marksOf(run);
    const charts = chartsOf(run);
    assert.deepEqual(
      new Set(["loss", "entropy", "kl", "accuracy", "learning-rate", "images-per-second", "memory"])
        .difference(new Set(charts.map(({ name }) => name))),
      new Set(),
    );
    for (const chart of charts) {
      const svg = svgOf(chart, marks);
      assert.ok(!svg.includes("<img") && !svg.includes("<script"), svg);
      assert.ok(!/NaN|undefined|Infinity/.test(svg), svg);
      await pngOf(svgFile(svg).replace('xmlns="http://www.w3.org/2000/svg" ', "")); // a strict parser
    }
    const svg = svgOf(charts[0], marks);
    const ink = async (text: string) => {
      const { width, height, data } = pictureOf(await pngOf(text));
      assert.deepEqual([width, height], [840, 500]);
      let dark = 0; // of the title's line
      for (let i = 0; i < 4 * width * 40; i += 4) if (data[i] < 128) dark++;
      return dark;
    };
    assert.ok(await ink(svg) > 300, "the title is missing");
    assert.equal(await ink(svg.replace(/<text[^>]*>[^<]*<\/text>/g, "")), 0);
    await assert.rejects(async () => await pngOf(svg.replace("</svg>", "<b>&</svg>")));
  },
);

folderTest("makeReport() escapes every name, and loads nothing", async (folder) => {
  const { path: file, notes, curves } = await makeReport(await hostileRun(folder));
  assert.deepEqual(notes, []);
  const page = await Deno.readTextFile(file);
  assert.equal(page.split("<script").length, 2, "only the page's own script");
  assert.ok(!page.includes("<img src=x") && !page.includes("<b>run"));
  assert.match(page, /Content-Security-Policy" content="default-src 'none'/);
  assert.ok(!/src="(?!data:)|href="(?!data:|skipped\.jsonl")/.test(page));
  for (const id of ["summary", "curves", "evaluation", "run", "config"]) {
    assert.match(page, new RegExp(`<section id="${id}"`));
  }
  assert.match(page, /not finite/);
  assert.match(page, /&#39;a b&#39;/);
  const files = [...Deno.readDirSync(`${folder}/<b>run & co/curves`)].map(({ name }) => name);
  assert.equal(files.length, 2 * curves);
});

folderTest("makeReport() makes a page of whatever is left of a run", async (folder) => {
  const run = `${folder}/run`;
  await Deno.mkdir(`${run}/attention`, { recursive: true });
  assert.equal(await isRun(run), false);
  await Deno.writeTextFile(`${run}/run.json`, "{ torn");
  assert.equal(await isRun(run), true);
  for (
    const name of ["config.yaml", "metrics.jsonl", "evaluations.jsonl", "evaluation.json"].concat(
      ["augmentation.json", "neighbors.json", "skipped.jsonl", "attention/step-00000000.png"],
    )
  ) {
    await Deno.writeTextFile(`${run}/${name}`, '{"torn": \n[1,');
  }
  const { notes, path: file } = await makeReport(run);
  for (
    const name of ["run.json", "config.yaml", "metrics.jsonl", "evaluation.json", "neighbors.json"]
  ) {
    assert.ok(notes.some((note) => note.includes(name)), `${name} is not named: ${notes}`);
  }
  assert.match(await Deno.readTextFile(file), /too early to tell/);
  await Deno.remove(`${run}/metrics.jsonl`);
  await Deno.writeTextFile(`${run}/augmentation.json`, '[{"id": 1, "views": "none"}]');
  assert.match((await makeReport(run)).notes.join("\n"), /augmentation\.json is not what/);
});

folderTest("report says what is no run", async (folder) => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", path("scripts/report.ts"), folder],
    cwd: folder,
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  assert.equal(code, 1);
  assert.match(
    new TextDecoder().decode(stderr),
    /^error: Expected the folder of a run but .*: name one/,
  );
}, ["run", "env"]);
