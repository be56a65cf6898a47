/** scripts/train/snapshots.ts: attention while a run trains, and what a whole run leaves for its report. */
import assert from "node:assert/strict";
import { type Config, configDefaults, parseConfig } from "../../lib/config.ts";
import { DamagedPictureError, type Dataset } from "../../lib/data/dataset.ts";
import { pictureOf } from "../../lib/draw/canvas.ts";
import { listSnapshots } from "../../lib/run/left.ts";
import { initialize, Parameters } from "../../lib/model.ts";
import { modelOf } from "../../lib/from_config.ts";
import { momentsOf, Snapshots } from "../../scripts/train/snapshots.ts";
import type { Progress } from "../../scripts/common/progress.ts";
import type { Prepared } from "../../scripts/train/run.ts";
import { SideFiles } from "../../lib/run/side_files.ts";
import { gpuTest } from "../support/gpu.ts";
import { withFolder } from "../support/permissions.ts";
import { flags, runTest, train } from "../support/runs.ts";

const moments = (total: number, stepsPerEpoch: number, every: number | null) => {
  const defaults = configDefaults() as Config;
  const config = { ...defaults, evaluation: { ...defaults.evaluation, every_n_epochs: every } };
  return [...momentsOf({ config, total, stepsPerEpoch })];
};

Deno.test("momentsOf() is ever more seldom, or with evaluations, and never too many", () => {
  assert.deepEqual(moments(6400, 10, null), [100, 200, 400, 800, 1600, 3200, 6400]);
  assert.deepEqual(moments(3, 10, null).sort(), [1, 2, 3]);
  assert.deepEqual(moments(30, 10, 1), [10, 20, 30]);
  assert.deepEqual(moments(25, 10, 1), [10, 20, 25]);
  const many = moments(10_000, 10, 1);
  assert.ok(many.length > 12 && many.length <= 24 && many.every((step) => step % 10 === 0));
  assert.equal(many.at(-1), 10_000);
});

gpuTest(
  "Snapshots draws equal pictures of equal weights, frees all, drops later ones, heeds a stop",
  (gpu) =>
    withFolder(async (folder) => {
      const before = gpu.memory.liveBytes;
      const text = Object.entries({
        patch_size: 8,
        dim: 16,
        depth: 1,
        heads: 2,
        backbone: "custom",
      })
        .map(([key, value]) => `  ${key}: ${value}\n`).join("");
      const config = parseConfig(
        `model:\n${text}augmentation:\n  global_crop_size: 16\n  local_crop_size: 8\n`,
        { file: "test" },
      );
      const model = modelOf(config), teacher = new Parameters(gpu, model.specs());
      teacher.load(initialize(model.specs(), 0));
      const live = gpu.memory.liveBytes, said: string[] = [];
      const dataset: Dataset = {
        name: "stripes",
        length: 4,
        largestPixels: 20 * 30,
        id: (i) => `stripe ${i}`,
        picture: (i) => {
          if (i === 2) throw new DamagedPictureError("damaged");
          const data = Uint8Array.from({ length: 4 * 20 * 30 }, (_, at) => (at * (i + 3)) % 256);
          return { width: 20, height: 30, data };
        },
        skipped: [],
      };
      let stop = false;
      const progress = { say: (text: string) => void said.push(text) } as Progress;
      const files = new SideFiles(folder, { say: (text) => void said.push(text) });
      const run = {
        ...{ gpu, files, config, model, progress, step: 0, total: 8, stepsPerEpoch: 4 },
        ...{ pictures: { dataset }, trainer: { evaluated: teacher } },
        guard: {
          get stop() {
            return stop ? { why: "the test", code: 1 } : undefined;
          },
        },
      } as Prepared;
      const snapshots = await Snapshots.open(run);
      assert.equal(gpu.memory.liveBytes, live, "views or attention leave memory behind");
      await snapshots.take(4);
      await snapshots.take(8);
      const steps = async () => (await listSnapshots(folder)).map(({ step }) => step);
      assert.deepEqual(await steps(), [0, 4, 8]);
      const read = (name: string) => Deno.readFile(`${folder}/attention/${name}`);
      const first = await read("step-00000000.png");
      assert.deepEqual(first, await read("step-00000008.png"));
      assert.equal(pictureOf(first).width, 296, "three sound pictures");
      await read("heads.png");

      // Goes on from step 5: what came later is gone at once; asked to stop, nothing is drawn.
      const again = await Snapshots.open({ ...run, step: 5 });
      assert.deepEqual(await steps(), [0, 4]);
      await assert.rejects(read("heads.png"), Deno.errors.NotFound);
      stop = true;
      await again.take(8);
      assert.deepEqual(await steps(), [0, 4]);
      stop = false;

      // Weights that are not finite: said once.
      teacher.load(
        new Map(
          [...initialize(model.specs(), 0)].map(([name, data]) => [name, data.map(() => NaN)]),
        ),
      );
      await again.take(6);
      await again.take(7);
      assert.equal(said.length, 1, said.join("\n"));
      assert.match(said[0], /^warning: attention is not drawn: .*finite/);
      assert.equal(gpu.memory.liveBytes, live);
      teacher.destroy();
      assert.equal(gpu.memory.liveBytes, before);
    }),
  ["read", "write"],
);

runTest(
  "a run leaves attention, neighbours, views and a report; resumed, it draws each moment once",
  async (folder, small) => {
    const args = (steps: number) => [
      ...small,
      ...flags({ "training.max_steps": steps, "evaluation.every_n_epochs": 1 }),
      "--out",
      "run",
    ];
    const run = `${folder}/run`;
    const first = await train(folder, args(3));
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /report: run\/report\.html \(/);
    const stepsOf = async () => (await listSnapshots(run)).map(({ step }) => step);
    assert.deepEqual(await stepsOf(), [0, 2, 3]);
    const start = await Deno.readFile(`${run}/attention/step-00000000.png`);

    // As if it had drawn more before it was killed.
    await Deno.writeTextFile(`${run}/attention/step-00000005.png`, "later");
    const rest = await train(folder, [...args(6), "--resume"]);
    assert.equal(rest.code, 0, rest.stderr);
    assert.ok(!rest.stderr.includes("attention is not drawn"), rest.stderr);
    assert.deepEqual(await stepsOf(), [0, 2, 3, 4, 6]);
    assert.deepEqual(await Deno.readFile(`${run}/attention/step-00000000.png`), start);
    const { width, height, data } = pictureOf(
      await Deno.readFile(`${run}/attention/step-00000006.png`),
    );
    assert.deepEqual([width, height], [596, 96]);
    assert.ok(new Set(new Uint32Array(data.buffer)).size > 20, "blank"); // colours
    const page = await Deno.readTextFile(`${run}/report.html`);
    for (
      const id of [
        "summary",
        "curves",
        "attention",
        "neighbours",
        "augmentation",
        "evaluation",
        "run",
        "config",
      ]
    ) assert.match(page, new RegExp(`<section id="${id}"`));
    assert.ok(!page.includes('id="notes"'), "something could not be read");

    // What cannot be written is said once, and ends nothing.
    const fault = "full:1000000:run/(attention/|report)";
    const hindered = await train(folder, [...args(8), "--resume"], undefined, { fault });
    assert.equal(hindered.code, 0, hindered.stderr);
    assert.equal(hindered.stderr.split("Cannot write run/attention/").length, 2, hindered.stderr);
    assert.match(
      hindered.stderr,
      /warning: never written, .*: .*run\/attention\/step-00000008\.png/,
    );
    assert.match(hindered.stderr, /warning: no report: Cannot write run\/report\.html: no space/);
  },
);
