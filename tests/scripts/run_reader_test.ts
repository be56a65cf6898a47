/** lib/run/: what is read of a run whatever lies in its folder, and what report, dashboard, doctor do then. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseMetrics } from "../../lib/diagnosis.ts";
import { Runs } from "../../scripts/dashboard/runs.ts";
import { viewOf } from "../../scripts/dashboard/view.ts";
import { Charts } from "../../scripts/dashboard/charts.ts";
import { pictureOf, pngOf } from "../../lib/draw/canvas.ts";
import { makeReport } from "../../lib/report/make.ts";
import { type Point, thinned } from "../../lib/report/thin.ts";
import { Faults } from "../../lib/run/faults.ts";
import { RunFiles, within } from "../../lib/run/files.ts";
import { isRun } from "../../lib/run/find.ts";
import { isPngUri, readSnapshot } from "../../lib/run/png.ts";
import { readExtras, readMetrics, readRun } from "../../lib/run/read.ts";
import { folderTest, lacks, testUnless, withFolder } from "../support/permissions.ts";
import { script } from "../support/scripts.ts";

const json = JSON.stringify;

/** What commands a terminal, line breaks excepted. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\x00-\x09\x0b-\x1f\x7f\u202e]/;
const windows = Deno.build.os === "windows" ? "no pipes and devices on Windows" : "";

async function writeRun(folder: string, files: Record<string, string> = {}): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const lines = Array.from({ length: 60 }, (_, i) => json({ step: i + 1, loss: 5 / (i + 1) }));
  const all = { "metrics.jsonl": lines.join("\n") + "\n", ...files };
  for (const [name, text] of Object.entries(all)) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
  return folder;
}

async function fifo(path: string): Promise<void> {
  await new Deno.Command("mkfifo", { args: [path] }).output();
}

/** A promise that must not take long. */
async function soon<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it takes more than 20 s")), 20_000);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Every file of a run in another way not what it should be; with what is said of it. */
async function spoil(run: string): Promise<RegExp[]> {
  await Deno.writeTextFile(`${run}/metrics.jsonl`, '{"step":61,"loss":"high"}\n', { append: true });
  for (const name of ["run.lock", "evaluation.json"]) await fifo(`${run}/${name}`);
  await Deno.symlink("/dev/zero", `${run}/skipped.jsonl`);
  await Deno.mkdir(`${run}/run.json`);
  await Deno.writeTextFile(
    `${run}/evaluations.jsonl`,
    ['{"step":1,"figures":[{"metric":7,"percent":1}]}', '{"step":"2","figures":[]}', ""].join("\n"),
  );
  await Deno.writeTextFile(`${run}/config.yaml`, "data: " + "[".repeat(50_000));
  await Deno.writeTextFile(`${run}/neighbors.json`, "[".repeat(5e6) + "]".repeat(5e6));
  await Deno.truncate(`${run}/neighbors.json`, 10e6);
  const image = "data:image/png;base64,iVBORw0KGgo=";
  const sample = { id: "x", width: 8, height: 8, image, views: [] };
  await Deno.writeTextFile(`${run}/augmentation.json`, json([sample]));
  await Deno.writeTextFile(`${run}/non-finite-00000007.json`, '{"what":{"toString":1}}');
  await Deno.mkdir(`${run}/attention`);
  await fifo(`${run}/attention/pictures.png`);
  await Deno.writeTextFile(`${run}/attention/step-00000010.png`, "\x89PNG but no more");
  return [
    /^line 61 of metrics\.jsonl is damaged and left out$/m,
    /run\.lock: expected a regular file but found a device, pipe or socket$/m,
    /evaluation\.json: expected a regular file but found a device/,
    /skipped\.jsonl: expected a regular file but found a device/,
    /run\.json: expected a file but found a folder/,
    /lines 1 and 2 of evaluations\.jsonl are damaged/,
    /config\.yaml is shown as it is, and not understood/,
    /^neighbors\.json is damaged and left out$/m,
    /^augmentation\.json is not what a run of this version writes/m,
    /^non-finite-00000007\.json is not what/m,
  ];
}

testUnless(
  [windows, lacks("read", "write", "run", "env")],
  "a spoiled run is shown with what is wrong with it, and no other run suffers",
  () =>
    withFolder(async (folder) => {
      await writeRun(`${folder}/good`);
      const run = await writeRun(`${folder}/bad`), expected = await spoil(run);
      const data = await soon(readRun(run));
      assert.equal(data.lines.length, 60);
      const { skipped, samples } = await soon(readExtras(data));
      assert.deepEqual(skipped, { count: 0, first: [] });
      assert.deepEqual(samples, { augmentation: undefined, neighbors: undefined });
      assert.deepEqual(data.bad, [{ step: 7, what: "" }]);
      for (const note of expected) assert.match(data.notes.join("\n"), note);

      const runs = new Runs([folder]);
      await soon(runs.refresh());
      const views = runs.entries.map((entry) => viewOf(entry));
      assert.deepEqual(views.map(({ name, step }) => [name, step]), [["bad", 60], ["good", 60]]);
      assert.equal(views[1].notes.length, 0);
      assert.ok(views[0].notes.length >= 7);
      assert.equal(new Charts(runs).of(views.map(({ id }) => id)).charts[0].series.length, 2);

      const { path, notes } = await soon(makeReport(run));
      assert.deepEqual(notes, data.notes);
      const page = await Deno.readTextFile(path);
      assert.ok(page.includes("line 61 of metrics.jsonl") && !page.includes("<img"));
      for (const command of ["report", "doctor"]) {
        const said = await script(command, folder, ["bad"]);
        assert.equal(said.code, 0, said.stderr);
        assert.match(said.stderr, /^note: line 61 of metrics\.jsonl is damaged/m);
        assert.doesNotMatch(said.stderr, /\n {4}at /);
      }

      // And of a file that is no file at all.
      await Deno.remove(`${run}/metrics.jsonl`);
      await fifo(`${run}/metrics.jsonl`);
      const told = await script("doctor", folder, ["bad"]);
      assert.deepEqual([told.code, told.stdout], [1, ""]);
      assert.match(told.stderr, /^error: Cannot read bad.metrics\.jsonl: expected a regular file/);
      assert.ok(await isRun(run));
      await soon(runs.refresh(Date.now() + 1e6));
      assert.deepEqual(runs.entries.map(({ data }) => data.lines.length), [0, 60]);
    }),
);

folderTest("damaged lines are told in one short note, however many there are", async (folder) => {
  const files = {
    "metrics.jsonl": '{"step":1,"loss":2}\n' + "{torn\n".repeat(200_000),
    "skipped.jsonl": '{"file":"a.png","reason":"cut off"}\n{"file":7}\n'.repeat(9) + '{"file":"b',
  };
  const data = await readRun(await writeRun(`${folder}/run`, files));
  const { skipped } = await readExtras(data);
  assert.deepEqual(data.notes, [
    "lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 199,990 more of metrics.jsonl are damaged and left out",
    "lines 2, 4, 6, 8, 10, 12, 14, 16 and 18 of skipped.jsonl are damaged and left out",
  ]);
  assert.equal(skipped.count, 9, "every sound line of skipped.jsonl is a file");
  assert.equal(skipped.first.length, 5);
  const many = Array.from({ length: 300 }, (_, i) => [`non-finite-${1e7 + i}.json`, "[]"]);
  const other = await readRun(await writeRun(`${folder}/other`, Object.fromEntries(many)));
  assert.equal(other.notes.length, 21);
  assert.equal(other.notes.at(-1), "and 80 more files that could not be read");
  const keys = Array.from({ length: 3000 }, (_, i) => `key_${i}: 1\n`).join("");
  const odd = await readRun(await writeRun(`${folder}/odd`, { "config.yaml": keys }));
  assert.ok(odd.notes.join("").length < 700);
});

folderTest(
  "a run of any length is read with every peak, its newest lines whole",
  async (folder) => {
    const run = `${folder}/run`, last = 130_000, peak = 77_777;
    await Deno.mkdir(run);
    const lines = Array.from({ length: last }, (_, i) => {
      const step = i + 1;
      return json({ step, loss: step === peak ? 99 : 2 + Math.sin(step), lr: step === 5 ? 7 : 1 });
    });
    const long = '{"step":131000,"x":"' + "y".repeat(3 << 20) + '"}'; // longer than a piece
    await Deno.writeTextFile(`${run}/metrics.jsonl`, lines.join("\n") + `\n${long}\n`);
    const { lines: read, notes } = await readRun(run);
    assert.ok(read.length <= 50_000, `${read.length}`);
    assert.deepEqual(notes, [
      "line 130,001 of metrics.jsonl is damaged and left out".replace(",", ""),
    ]);
    assert.equal(read.find(({ step }) => step === peak)?.loss, 99);
    assert.equal(read.find(({ step }) => step === 5)?.lr, 7);
    assert.deepEqual(
      read.slice(-4096).map(({ step }) => step),
      lines.slice(-4096).map((_, i) => last - 4095 + i),
    );
    assert.ok(read.every(({ step }, i) => i === 0 || step > read[i - 1].step));
  },
);

folderTest("reading ends after its time: a disk may not answer", async (folder) => {
  await writeRun(folder);
  const faults = new Faults(), files = new RunFiles(folder, faults, -1);
  assert.deepEqual((await readMetrics(files)).lines, []);
  assert.deepEqual(faults.notes, ["metrics.jsonl takes too long to read: its end is left out"]);
  await assert.rejects(
    () => within(20, "slow", new Promise(() => {})),
    /^HatchlingError: Cannot read slow: it does not answer within 0\.02 s$/,
  );
});

Deno.test("metrics hold numbers of a size that can be drawn, and steps that are steps", () => {
  const sound = '{"step":1,"loss":1,"epoch":null,"unknown":{"a":[]}}';
  assert.deepEqual(parseMetrics(sound).lines, [{ step: 1, loss: 1, epoch: null }]);
  for (
    const line of [
      '{"step":1,"loss":"1"}',
      '{"step":1,"loss":1e999}',
      '{"step":1,"lr":1e101}',
      '{"step":1,"epoch":[1]}',
      '{"step":1,"non_finite":{}}',
      '{"step":1.5}',
      '{"step":-1}',
      '{"step":1e300}',
      '{"step":"1"}',
      "[]",
      "null",
      "1",
    ]
  ) assert.deepEqual(parseMetrics(`{"step":9}\n${line}\n`).damaged, [2], line);
  const twice = parseMetrics(`{"step":9}\n${'{"step":9,"non_finite":"loss"}\n'.repeat(3)}`);
  assert.equal(twice.lines.length, 2);
  const upright = Array.from({ length: 1000 }, (_, i): Point => [7, i]);
  assert.ok(thinned(upright, 10).length < 1000, "curves whose points have one step end too");
});

folderTest("isRun() tells by content whose files these are", async (folder) => {
  const cases: [boolean, Record<string, string>][] = [
    [false, {}],
    [false, { "run.json": '{"name":"of another tool","parts":["engine"]}' }],
    [false, { "run.json": "[1,2]" }],
    [false, { "metrics.jsonl": '{"epoch":1,"accuracy":0.5}\n' }],
    [false, { "metrics.jsonl": "step,loss\n1,2\n" }],
    [false, { "run.json": "{}", "metrics.jsonl": "" }],
    [true, { "metrics.jsonl": '{"step":1,"loss":2}\n' }],
    [true, { "metrics.jsonl": 'damaged\n{"step":1,"loss":2}\n' }],
    [true, { "metrics.jsonl": "" }],
    [true, { "metrics.jsonl": '{"step":1,"lo' }],
    [true, { "metrics.jsonl": "\0".repeat(4096) }],
    [true, { "run.json": '{"parts":[{"started":"2026-01-01","command":[]}]}' }],
    [true, { "run.json": '{"parts":[{"started":"2026' }],
    [true, { "evaluations.jsonl": '{"step":1,"figures":[]}\n' }],
    [true, { "run.json": "{}", "metrics.jsonl": '{"step":1,"loss":2}\n' }],
  ];
  for (const [i, [expected, files]] of cases.entries()) {
    await Deno.mkdir(`${folder}/${i}`);
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${i}/${name}`, text);
    }
    assert.equal(await isRun(`${folder}/${i}`), expected, json(files).slice(0, 80));
  }
  const runs = new Runs([folder]);
  await runs.refresh();
  assert.equal(runs.entries.length, cases.filter(([expected]) => expected).length);
});

folderTest(
  "only pictures of a moderate size are taken for pictures; old columns become rows",
  async (folder) => {
    const data = new Uint8Array(4 * 96 * 296).map((_, i) => (i >> 2) % 251);
    const column = pngOf({ width: 96, height: 296, data });
    await Deno.writeFile(`${folder}/column.png`, column);
    const row = pictureOf((await readSnapshot(`${folder}/column.png`))!);
    assert.deepEqual([row.width, row.height], [296, 96]);
    const whole = pictureOf(column);
    const at = (p: typeof row, x: number, y: number) => p.data[4 * (y * p.width + x)];
    for (const tile of [0, 1, 2]) {
      assert.equal(at(row, 100 * tile + 5, 7), at(whole, 5, 100 * tile + 7));
    }
    const uri = `data:image/png;base64,${column.toBase64()}`;
    assert.ok(isPngUri(uri));
    assert.ok(!isPngUri(uri.slice(0, 300)), "cut off");
    assert.ok(!isPngUri("data:image/png;base64,iVBORw0KGgo="));
    assert.ok(!isPngUri('data:image/png;base64,"onload="'));
    const bomb = column.slice();
    new DataView(bomb.buffer).setUint32(16, 60_000);
    assert.ok(!isPngUri(`data:image/png;base64,${bomb.toBase64()}`), "60,000 pixels wide");
  },
);

/** Any JSON, with the keys and values that a run has among it. */
const anything = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  fc.constantFrom(1e308, -1e99, 5e-324, 2 ** 53, "NaN", null, [], {}, "\x1b[2J", "</script>"),
);
const objectOf = (...keys: string[]) =>
  fc.record(Object.fromEntries(keys.map((key) => [key, anything])), { requiredKeys: [] });
const step = fc.oneof({ weight: 3, arbitrary: fc.nat(100) }, anything);
const lineOf = fc.record({
  step,
  loss: anything,
  lr: anything,
  epoch: anything,
  gradient_norm: fc.double(),
});
const figure = objectOf("group", "metric", "encoder", "percent", "value");
const part = objectOf("started", "command", "step", "folder", "code", "adapter", "data", "system");

folderTest(
  "whatever JSON the files of a run hold, report and dashboard show it",
  async (folder) => {
    let i = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(lineOf, { maxLength: 12 }),
        fc.array(fc.record({ step, figures: fc.array(figure, { maxLength: 3 }) }), {
          maxLength: 4,
        }),
        fc.oneof(fc.array(figure, { maxLength: 5 }), anything),
        fc.oneof(fc.record({ parts: fc.array(part, { maxLength: 3 }) }), anything),
        anything,
        async (lines, evaluations, figures, record, other) => {
          const rows = (list: unknown[]) => list.map((one) => json(one) + "\n").join("");
          const run = await writeRun(`${folder}/${i++}`, {
            "metrics.jsonl": rows(lines),
            "evaluations.jsonl": rows(evaluations),
            "evaluation.json": json(figures),
            "run.json": json(record),
            "skipped.jsonl": rows([other]),
            "augmentation.json": json(other),
            "neighbors.json": json({ pictures: 1, rows: [{ query: other, neighbors: [other] }] }),
            "config.yaml": json({ training: other }),
          });
          const { path } = await makeReport(run);
          assert.equal((await Deno.readTextFile(path)).split("<script").length, 2);
          const runs = new Runs([run], { single: true });
          await runs.refresh();
          const [entry] = runs.entries;
          json(viewOf(entry));
          const { charts } = new Charts(runs).of([entry.id]);
          assert.doesNotMatch(charts.map(({ svg }) => svg).join(""), /NaN|Infinity|undefined/);
        },
      ),
      { numRuns: 50 },
    );
  },
);

folderTest("numbers too small for an axis are shown as what they are: nothing", async (folder) => {
  for (const [i, tiny] of [-1e-323, 1e-323, 1e-308].entries()) {
    const line = { step: 1, loss: tiny, lr: tiny, gradient_norm: tiny };
    const run = await writeRun(`${folder}/${i}`, { "metrics.jsonl": json(line) + "\n" });
    const { path } = await makeReport(run);
    assert.doesNotMatch(await Deno.readTextFile(path), /NaN|Infinity/);
  }
});

testUnless(
  [windows, lacks("read", "write", "run", "env")],
  "names of runs and what is in their files cannot command a terminal",
  () =>
    withFolder(async (folder) => {
      const name = "\x1b[31mred\n\u202erun";
      await writeRun(`${folder}/${name}`, { "config.yaml": '"\\x1b[2Jkey": 1\n' });
      for (
        const [command, arg] of [["report", name], ["doctor", name], ["doctor", "."], [
          "report",
          "\x07x",
        ]]
      ) {
        const { stdout, stderr } = await script(command, folder, [arg]);
        assert.doesNotMatch(
          stdout + stderr,
          CONTROLS,
          `${command} ${json(arg)}`,
        );
        assert.match(stdout + stderr, /\\x1b\[31mred\\x0a\\u202erun|\\x07x/);
      }
    }),
);
