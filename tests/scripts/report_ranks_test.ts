/** What report, doctor, dashboard and log say of the ranks of a run. */
import assert from "node:assert/strict";
import type { MetricLine } from "../../lib/diagnosis.ts";
import { chartsOf } from "../../lib/report/charts.ts";
import { makeReport } from "../../lib/report/make.ts";
import { rankCharts } from "../../lib/report/rank_charts.ts";
import { readRun } from "../../lib/run/read.ts";
import { SideFiles } from "../../lib/run/side_files.ts";
import { Progress } from "../../scripts/common/progress.ts";
import { Charts } from "../../scripts/dashboard/charts.ts";
import type { Runs } from "../../scripts/dashboard/runs.ts";
import { viewOf } from "../../scripts/dashboard/view.ts";
import { RunLog } from "../../scripts/train/run_log.ts";
import { folderTest } from "../support/permissions.ts";
import { script } from "../support/scripts.ts";

const MiB = 2 ** 20;

/** A run of 30 lines, every 10 steps, with these own times of ranks. */
function lines(times: readonly number[]): MetricLine[] {
  return Array.from({ length: 30 }, (_, i) => ({
    step: 10 * (i + 1),
    loss: 5,
    images_per_second: 100,
    ...times.length && {
      comm_bytes: 12 * MiB,
      comm_ms: 80,
      comm_hidden_ms: 60,
      comm_wait_ms: 8,
      rank_compute_ms: times,
    },
  }));
}

async function runOf(
  folder: string,
  times: readonly number[],
  ranks?: { host: string; adapter?: string }[],
): Promise<string> {
  const run = `${folder}/run`;
  await Deno.mkdir(run);
  const text = lines(times).map((line) => JSON.stringify(line) + "\n").join("");
  await Deno.writeTextFile(`${run}/metrics.jsonl`, text);
  await Deno.writeTextFile(`${run}/run.json`, JSON.stringify({ parts: [{ step: 0, ranks }] }));
  return run;
}

const HOSTS = [{ host: "<b>a", adapter: "H200" }, { host: "b" }, { host: "c\x07" }];

const sectionOf = (page: string) => page.match(/<section id="ranks".*?<\/section>/s)![0];

folderTest("a report shows what ranks sent, and names the slowest one", async (folder) => {
  const { path, notes } = await makeReport(await runOf(folder, [100, 104, 150], HOSTS));
  assert.deepEqual(notes, []);
  const page = await Deno.readTextFile(path), section = sectionOf(page);
  const rows = [...section.matchAll(/<th scope="row">([^<]*)<\/th>(.*?)<\/tr>/g)].map(
    (
      [, name, cells],
    ) => [name, ...[...cells.matchAll(/<td>([^<]*)<\/td>/g)].map(([, cell]) => cell)],
  );
  assert.deepEqual(rows.slice(0, 10), [
    ["ranks", "3"],
    ["figures", "medians over steps 260 to 300"],
    ["sent per step, by each", "12.0 MiB"],
    ["adding up gradients, per step", "80 ms"],
    ["of that while the GPU worked", "60 ms (75 %)"],
    ["waiting for the slowest rank, per step", "8 ms"],
    ["slowest rank", "rank 2: 150 ms of its own in a step, 1.47 times the median of the others"],
    ["rank 0", "&#60;b&#62;a", "H200", "100 ms"],
    ["rank 1", "b", "", "104 ms"],
    ["rank 2", "c\\x07", "", "150 ms"],
  ]);
  assert.match(page, /<h3>A slow rank<\/h3><ul><li>rank 2 \(c\\x07\) takes 150 ms of its own/);
  for (const name of ["communication", "communication-bytes", "rank-time"]) {
    assert.ok((await Deno.stat(`${folder}/run/curves/${name}.png`)).size > 1000, name);
  }
});

folderTest("a report of one rank says nothing of ranks", async (folder) => {
  const run = await runOf(folder, []);
  const { path } = await makeReport(run);
  assert.doesNotMatch(await Deno.readTextFile(path), /slow rank|id="ranks"|Ranks/);
  const names = chartsOf(await readRun(run)).map(({ name }) => name);
  assert.ok(
    names.includes("loss") && !names.some((name) => /comm|rank-time/.test(name)),
    `${names}`,
  );
});

folderTest("ranks that run.json alone tells of are listed", async (folder) => {
  const { path } = await makeReport(await runOf(folder, [], HOSTS));
  const section = sectionOf(await Deno.readTextFile(path));
  assert.match(section, /<th scope="row">rank 1<\/th><td>b<\/td><td><\/td><td><\/td>/);
  assert.doesNotMatch(section, /NaN|undefined/);
});

Deno.test("each rank has a curve; of many the ends and the middle have", () => {
  const [few] = rankCharts({ lines: lines([3, 1, 2]) });
  assert.deepEqual(few.series.map(({ name, points }) => [name, points[0]]), [
    ["rank 0", [10, 3]],
    ["rank 1", [10, 1]],
    ["rank 2", [10, 2]],
  ]);
  const [many] = rankCharts({ lines: lines(Array.from({ length: 21 }, (_, i) => (8 * i) % 21)) });
  assert.deepEqual(many.series.map(({ name, points }) => [name, points.at(-1)]), [
    ["slowest", [300, 20]],
    ["median", [300, 10]],
    ["fastest", [300, 0]],
  ]);
  assert.deepEqual([few.log, many.log], [false, false]);
  const compiling = [{ step: 1, rank_compute_ms: [9e3, 9e3] }, {
    step: 2,
    rank_compute_ms: [9, 8],
  }];
  assert.equal(rankCharts({ lines: compiling })[0].log, true);
  const holes = [{ step: 1, rank_compute_ms: [null, 5] }, { step: 2, rank_compute_ms: [4, 6] }];
  assert.deepEqual(rankCharts({ lines: holes })[0].series.map(({ points }) => points), [
    [[2, 4]],
    [[1, 5], [2, 6]],
  ]);
  assert.deepEqual(rankCharts({ lines: [{ step: 1 }, { step: 2, rank_compute_ms: [4] }] }), []);
});

folderTest("doctor names a slow rank, and that is no trouble", async (folder) => {
  const run = await runOf(folder, [100, 104, 150], HOSTS);
  const { code, stdout, stderr } = await script("doctor", ".", [run]);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^a slow rank\n {2}- rank 2 \(c\\x07\) takes 150 ms .* 1\.47 times .*\n {2}- see what else runs/m,
  );
  await Deno.remove(run, { recursive: true });
  const even = await script("doctor", ".", [await runOf(folder, [100, 104, 110])]);
  assert.doesNotMatch(even.stdout, /slow rank/);
}, ["run"]);

folderTest("a run warns of a slow rank once", async (folder) => {
  const said: string[] = [];
  const screen = { isTerminal: () => false, writeSync: (bytes: Uint8Array) => bytes.length };
  const progress = new Progress(screen, screen);
  progress.say = (text: string) => void said.push(text);
  {
    await using files = new SideFiles(folder, { say: progress.say });
    let now = 0;
    const log = await RunLog.open(files, 0, {}, progress, {
      now: () => now += 5000,
      tensorboard: true,
    });
    for (const line of lines([100, 104, 150])) await log.write(line);
    log.conclude();
  }
  assert.equal(said.length, 1, said.join("\n"));
  assert.match(
    said[0],
    /^warning: slow rank at step \d+: rank 2 takes 150 ms .* What to change first: see what else .* doctor/,
  );
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  const events = await Deno.readTextFile(
    `${folder}/${names.find((name) => name.startsWith("events."))}`,
  );
  assert.ok(events.includes("train/compute_ms of rank 2") && events.includes("train/comm_wait_ms"));
});

folderTest("a dashboard shows ranks beside runs of one, and names a slow one", async (folder) => {
  const entries = await Promise.all(
    [[100, 104, 150], [100, 104], []].map(async (times, i) => {
      const own = `${folder}/${i}`;
      await Deno.mkdir(own);
      return { id: `${i}`, folder: own, data: await readRun(await runOf(own, times)), version: 1 };
    }),
  );
  const [slow, even] = entries.map((entry) => viewOf(entry).evidence.join());
  assert.match(slow, /rank 2 takes 150 ms/);
  assert.doesNotMatch(even, /rank/);
  const runs = { get: (id: string) => entries[Number(id)] } as unknown as Runs;
  const titlesOf = (...ids: string[]) =>
    new Charts(runs).of(ids).charts.map(({ title, series }) => `${title}: ${series.length}`);
  assert.ok(titlesOf("0").includes("own time of ranks, ms in a step: 3"));
  const over = titlesOf("0", "1", "2");
  assert.ok(over.includes("own time of ranks, ms in a step: rank 1: 2"), over.join("\n"));
  assert.ok(over.includes("own time of ranks, ms in a step: rank 2: 1"));
  assert.ok(over.includes("loss, nats: 3"));
});
