/** The pieces of the benchmark compute the right things; nothing is timed, and no peer is started. */
import assert from "node:assert/strict";
import { matmulCases, STEPS } from "../bench/cases.ts";
import { type Contender, SAMPLES, type Subject } from "../bench/contender.ts";
import { type Job, SEED } from "../bench/jobs.ts";
import { decodeRate, nothing, paceOf, training, views } from "../bench/loading/measure.ts";
import { Loader } from "../lib/data/loader.ts";
import { backboneOf } from "../bench/model.ts";
import { openOurs } from "../bench/ours.ts";
import { photo } from "../bench/photo.ts";
import { sectionText } from "../bench/report.ts";
import { scaleSvg } from "../bench/scale_figure.ts";
import { agree, ratios, runCase } from "../bench/suite.ts";
import { compare, geometricMean, median } from "../bench/timing.ts";
import { values } from "../bench/values.ts";
import jpeg from "./data/fixtures/rgb.jpg" with { type: "bytes" };
import { indexTest, put } from "./data/support.ts";
import { gpuTest } from "./support/gpu.ts";

/** A subject that takes `ms` for each run by its own account, and remembers how it was run. */
function fake(name: string, ms: number, log: string[], sample = [1]): Contender {
  const subject: Subject = {
    per: 2,
    run: (n) => {
      log.push(name);
      return Promise.resolve(n * ms);
    },
    sample: () => Promise.resolve(sample),
    destroy: () => log.push(`${name} freed`),
  };
  return { name, version: "1", prepare: () => Promise.resolve(subject), close: () => {} };
}

const LIMITS = { gflops: 1, gbs: 1 };
const JOB: Job = { op: "softmax", rows: 2, cols: 3 };
const VIT = { vit: { imageSize: 28, patchSize: 14, dim: 8, depth: 1, heads: 2, layerScale: 1 } };
const RESNET = { resnet: { layers: 18, imageSize: 32, width: 4 } } as const;
const CASE = { label: "a case", group: "all", job: JOB, flops: 4e6 };

Deno.test("median() and geometricMean()", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Math.abs(geometricMean([1, 4, 16]) - 4) < 1e-12);
});

Deno.test("values() are the same everywhere, and differ by seed", () => {
  const [a, b] = [values(1000, 1), values(1000, 2)];
  assert.deepEqual(values(1000, 1), a);
  assert.notDeepEqual(a, b);
  assert.ok(a.every((x) => x >= -0.5 && x < 0.5));
  assert.ok(Math.abs(a.reduce((sum, x) => sum + x, 0)) < 30);
});

Deno.test("compare() takes turns and divides by the operations of a run", async () => {
  const log: string[] = [];
  const contenders = [fake("a", 100, log), fake("b", 300, log), fake("slow", 9000, log)];
  const subjects = await Promise.all(contenders.map((c) => c.prepare(JOB)));
  const timings = await compare(subjects.map((s) => s!), 3);
  assert.deepEqual(timings.map(({ ms }) => ms), [50, 150, 4500]);
  assert.deepEqual(timings.map(({ samples }) => samples), [3, 3, 1]);
  assert.deepEqual(log, ["a", "b", "slow", "a", "b", "a", "b"]);
});

Deno.test("runCase() names who fails or gives something else, and times the others", async () => {
  const log: string[] = [], notes: string[] = [];
  const broken: Contender = {
    ...fake("broken", 1, log),
    prepare: () => Promise.reject(new Error("no adapter\nat …")),
  };
  const without: Contender = { ...broken, name: "without", prepare: async () => {} } as Contender;
  const contenders = [
    fake("ours", 100, log),
    fake("peer", 300, log),
    fake("wrong", 100, log, [2]),
    broken,
    without,
  ];
  const row = await runCase(CASE, contenders, 1, (line) => notes.push(line));
  assert.deepEqual(Object.keys(row.results), ["ours", "peer"]);
  assert.deepEqual(notes, ["a case: broken fails: no adapter", "a case: wrong gives 2, not 1"]);
  assert.equal(ratios([row], "ours").all.peer.toFixed(9), "3.000000000");
  for (const name of ["ours", "peer", "wrong"]) assert.ok(log.includes(`${name} freed`));
  const names = contenders.map(({ name }) => name);
  const text = sectionText("title", [row], names, LIMITS);
  assert.match(text, /a case +3\.00× +50\.0 +0\.0800 +8% +150/);
});

Deno.test("agree() looks at the difference beside the largest", () => {
  assert.ok(agree([1e-5, 1], [2e-5, 1]));
  assert.ok(!agree([0.01, 1], [0.02, 1]));
  assert.ok(!agree([NaN], [1]));
  assert.ok(!agree([], [1]));
});

Deno.test("scaleSvg() draws every series", () => {
  const point = { value: 1, batch: 1, gflop: 1, ms: 10 };
  const list = [point, { ...point, batch: 2, gflop: 2, ms: 15 }];
  const svg = scaleSvg({ batch: list, dim: list, K: list }, "an adapter");
  for (const text of ["an adapter", ">dim<", ">K<"]) assert.ok(svg.includes(text), text);
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
});

gpuTest("the benchmark's products are products", async (gpu) => {
  const ours = await openOurs(gpu, "1", LIMITS);
  const kinds = new Set(matmulCases().map(({ group }) => group));
  assert.deepEqual([...kinds], ["64 rows", "NN", "NT", "TN"]);
  const m = 5, k = 8, n = 12;
  const a = values(m * k, SEED.a), b = values(k * n, SEED.b);
  for (const [transA, transB] of [[false, false], [false, true], [true, false]]) {
    const subject = await ours.prepare({ op: "matmul", m, k, n, transA, transB });
    const expected = [0, 1, 2, 3].map((column) => {
      let sum = 0;
      for (let i = 0; i < k; i++) {
        sum += a[transA ? i * m : i] * b[transB ? column * k + i : i * n + column];
      }
      return sum;
    });
    assert.ok(agree(await subject!.sample(), expected), `transA ${transA}, transB ${transB}`);
    assert.ok(await subject!.run(2) >= 0);
    subject!.destroy();
  }
});

gpuTest("every other job of the benchmark runs and leaves nothing behind", async (gpu) => {
  const ours = await openOurs(gpu, "1", LIMITS);
  const jobs: Job[] = [
    { op: "attention", batch: 2, tokens: 5, heads: 2, headDim: 4, grad: false },
    { op: "attention", batch: 2, tokens: 5, heads: 2, headDim: 4, grad: true },
    { op: "layer_norm", rows: 3, cols: 8 },
    { op: "layer_norm_grad", rows: 3, cols: 8 },
    { op: "softmax", rows: 3, cols: 8 },
    { op: "gelu", rows: 3, cols: 8 },
    { op: "adamw", size: 2048 },
    { op: "ema", size: 2048 },
    { op: "loss", views: 4, globals: 2, batch: 2, outDim: 16 },
    { op: "step", ...STEPS.smoke },
    ...[false, true].flatMap((grad) =>
      [VIT, RESNET].map((model): Job => ({ op: "backbone", model, batch: 2, grad }))
    ),
  ];
  for (const job of jobs) {
    const subject = await ours.prepare(job);
    const sample = await subject!.sample();
    assert.ok(sample.length > 0 && sample.every(Number.isFinite), `${job.op} gives ${sample}`);
    if (job.op === "step") {
      // Student and teacher start alike and near uniform: between the entropy of sharp targets and ln K.
      assert.ok(sample[0] > 0 && sample[0] < 2 * Math.log(job.head.outDim), `loss ${sample[0]}`);
      assert.ok(subject!.flops! > 1e6);
    }
    if (job.op === "backbone") {
      const learned = backboneOf(job.model).specs().filter(({ trainable }) => trainable !== false);
      const vectors = learned.filter(({ shape }) => shape.length === 1);
      assert.equal(sample.length, job.grad ? learned.length - vectors.length + 1 : SAMPLES);
      assert.notEqual(new Set(sample).size, 1);
      // Every matrix meets every picture at least once.
      const matrices = learned.filter(({ name, shape }) => name.endsWith("weight") && shape[1]);
      const numbers = matrices.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
      assert.ok(subject!.flops! >= 2 * job.batch * numbers);
    }
    subject!.destroy();
  }
});

Deno.test("photo() gives the same smooth picture for the same seed", () => {
  const [a, b] = [photo(90, 70, 1), photo(90, 70, 2)];
  assert.deepEqual(photo(90, 70, 1), a);
  assert.notDeepEqual(b.data, a.data);
  const red = Array.from({ length: 90 * 70 }, (_, i) => a.data[4 * i]);
  const mean = red.reduce((sum, x) => sum + x, 0) / red.length;
  const spread = Math.sqrt(red.reduce((sum, x) => sum + (x - mean) ** 2, 0) / red.length);
  const steps = red.slice(1).map((x, i) => Math.abs(x - red[i]));
  const step = steps.reduce((sum, x) => sum + x, 0) / steps.length;
  assert.ok(spread > 15 && step < spread / 2, `spread ${spread}, step ${step}`);
});

indexTest("paceOf() brings files to training steps", async (folder) => {
  const paths = await Promise.all([0, 1, 2, 3, 4, 5].map((i) => put(folder, `${i}.jpg`, jpeg)));
  assert.ok(await decodeRate(paths, 2) > 0);
  const source = { folder, batch: 2, workers: 1 };
  const seen: number[] = [];
  const consumer = {
    ...nothing(),
    take: ({ step }: { step: number }) => Promise.resolve(void seen.push(step)),
  };
  const { rate, stepMs, waiting } = await paceOf(source, true, 3, () => consumer);
  assert.deepEqual(seen, [0, 1, 2, 3]);
  assert.ok(Math.abs(rate * stepMs - 2000) < 1e-6 && waiting >= 0 && waiting <= 1);
});

gpuTest("views() and training() take batches and leave nothing behind", async (gpu) => {
  const picture = photo(20, 30, 0);
  const dataset = {
    name: "one",
    length: 4,
    largestPixels: 600,
    picture: () => picture,
    id: String,
  };
  const loader = new Loader({ ...dataset, skipped: [] }, { batchSize: 4, seed: 0 });
  const crops = { globalSize: 16, localSize: 8, locals: 2 };
  for (const make of [views(gpu, crops), training(gpu, STEPS.smoke)]) {
    const consumer = await make(loader);
    for (const step of [0, 1]) await consumer.take(await loader.batch(step));
    await consumer.finish();
    consumer.destroy();
  }
  loader.close();
});
