/** The comparison with PyTorch without PyTorch: messages, what is refused, sums, words and curves. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readQualityArguments } from "../bench/quality/arguments.ts";
import { curvesSvg, smooth, ticks } from "../bench/quality/figure.ts";
import { openResults, readResults } from "../bench/quality/files.ts";
import { encodeFrame, FrameReader } from "../bench/quality/frames.ts";
import { openHatchling } from "../bench/quality/hatchling.ts";
import { TorchProcess } from "../bench/quality/python.ts";
import { judge } from "../bench/quality/judge.ts";
import { checkComparable } from "../bench/quality/recipe.ts";
import { reportText } from "../bench/quality/report.ts";
import {
  curveMetrics,
  type EvaluationLine,
  largestDifference,
  type Line,
  relativeDistance,
  type Setup,
  sharesApart,
  type StepLine,
  summarize,
  WHITENED,
} from "../bench/quality/results.ts";
import { checkSchedules } from "../bench/quality/torch.ts";
import { vendorsOf } from "../bench/quality/vendors.ts";
import { parseConfig } from "../lib/config.ts";
import { labelsOf } from "../lib/data/dataset.ts";
import { HatchlingError } from "../lib/errors.ts";
import { l2Normalize } from "../lib/eval/features.ts";
import type { Figure } from "../lib/eval/figures.ts";
import type { Side } from "../lib/eval/sides.ts";
import { record } from "../lib/gpu.ts";
import { initialize } from "../lib/model.ts";
import { Trainer } from "../lib/train.ts";
import { modelOf, scheduleOf, trainerOptionsOf } from "../lib/from_config.ts";
import { gpuTest } from "./support/gpu.ts";
import { folderTest, permissionTest } from "./support/permissions.ts";

const RECIPE = `
augmentation: { global_crop_size: 16, local_crop_size: 8, num_local_views: 2 }
model: { backbone: custom, patch_size: 8, dim: 16, depth: 1, heads: 2, drop_path_rate: 0,
  projection_hidden_dim: 16, projection_bottleneck_dim: 8, projection_output_dim: 32 }
data: { batch_size: 2 }
`;

/** A stream that comes in pieces of `size` bytes. */
function streamOf(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) {
        controller.enqueue(bytes.slice(at, at + size));
      }
      controller.close();
    },
  });
}

Deno.test("FrameReader gives what encodeFrame() was given, however it is cut", async () => {
  const values = [Float32Array.of(1, -0, NaN), Float32Array.of(Infinity, 10 * 2 ** -149)];
  // 10 is the byte that ends a line: it may be in numbers and, escaped, in texts.
  const frames = [
    encodeFrame({ op: "a\nb" }),
    encodeFrame({ op: "step" }, values),
    encodeFrame({ op: "end" }, [new Float32Array(0)]),
  ];
  const all = new Uint8Array(frames.flatMap((frame) => [...frame]));
  for (const size of [1, 3, 7, all.length]) {
    const reader = new FrameReader(streamOf(all, size));
    const [first, second, third] = [
      await reader.next<{ op: string }>(),
      await reader.next<{ op: string }>(),
      await reader.next<{ op: string }>(),
    ];
    assert.deepEqual(first, { message: { op: "a\nb" }, values: new Float32Array(0) });
    assert.deepEqual([...second.values], values.flatMap((v) => [...v]));
    assert.ok(Object.is(second.values[1], -0));
    assert.deepEqual(third.message, { op: "end" });
    await assert.rejects(reader.next(), /another message but its program has ended/);
  }
});

Deno.test("FrameReader says what it found where a line is no JSON or a message is cut short", async () => {
  const reader = new FrameReader(streamOf(new TextEncoder().encode("Segmentation fault\n"), 5));
  await assert.rejects(reader.next(), /a line of JSON but found Segmentation fault/);
  const short = encodeFrame({}, [Float32Array.of(1, 2)]).slice(0, -1);
  await assert.rejects(new FrameReader(streamOf(short, 9)).next(), HatchlingError);
});

permissionTest(
  ["run", "env", "read"],
  "TorchProcess names Debian's package when there is no PyTorch",
  async () => {
    // One that does not exist, and one that is no Python.
    const pythons = ["/nowhere/python3", Deno.execPath()];
    await assert.rejects(TorchProcess.start(1, pythons), /apt-get install .*python3-torch/);
  },
);

Deno.test("checkComparable() names every key that stands in the way", () => {
  checkComparable(parseConfig(RECIPE));
  const overrides = [
    { key: "model.drop_path_rate", value: "0.1" },
    { key: "optimizer.layer_decay", value: "0.9" },
    { key: "training.gradient_accumulation_steps", value: "2" },
  ];
  assert.throws(() => checkComparable(parseConfig(RECIPE, { overrides })), ({ message }) => {
    for (const text of ["--model.drop_path_rate 0", "--optimizer.layer_decay 1", "_steps 1"]) {
      assert.ok(message.includes(text), text);
    }
    assert.ok(!message.includes("loss.centering"));
    return true;
  });
});

Deno.test("checkComparable() takes every objective of the reference, SimDINO in DINO's place alone", () => {
  const of = (more: Record<string, string>) =>
    parseConfig(RECIPE, {
      overrides: Object.entries(more).map(([key, value]) => ({ key, value })),
    });
  const infonce = of({ "loss.objective": "infonce", "model.feature": "quad" });
  checkComparable(infonce);
  checkComparable(of({ "loss.contrastive_weight": "1", "loss.koleo_weight": "0.1" }));
  checkComparable(of({}), "simdino");
  assert.throws(() => checkComparable(infonce, "simdino"), /add --loss\.objective dino/);
});

folderTest("readQualityArguments() reads options and overrides", async (folder) => {
  const file = join(folder, "recipe.yaml");
  await Deno.writeTextFile(file, RECIPE);
  const read = async (...args: string[]) => {
    const found = await readQualityArguments([file, ...args]);
    assert.ok("config" in found);
    return found;
  };
  const args = await read("--epochs", "3", "--optimizer.lr", "1e-3");
  assert.deepEqual([args.epochs, args.every, args.seeds], [3, 1, []]);
  assert.equal(args.config.optimizer.lr, 1e-3);
  assert.equal(args.out, join("runs", "quality-recipe"));
  assert.deepEqual((await read("--seeds", "1,2")).seeds, [1, 2]);
  await assert.rejects(read("--seeds", "0"), /other than training\.seed/);
  assert.deepEqual([args.objective, args.judge], [undefined, undefined]);
  const more = await read("--judge", "emoji_base", "--objective", "simdino");
  assert.deepEqual([more.judge, more.objective], ["emoji_base", "simdino"]);
  assert.equal(more.out, join("runs", "quality-simdino-recipe"));
  await assert.rejects(read("--objective", "simdino", "--seeds", "1"), /no --seeds with/);
  assert.deepEqual(await readQualityArguments(["--report", folder]), { report: folder });
  await assert.rejects(readQualityArguments([]), /a recipe but found none/);
});

Deno.test("checkSchedules() lets float64's rounding pass and nothing else", () => {
  const config = parseConfig(RECIPE);
  const ours = scheduleOf(config, 10)(7);
  const theirs = {
    lr: ours.lr * (1 + 1e-12),
    wd: ours.weightDecay,
    momentum: ours.momentum,
    teacher_temp: ours.teacherTemp,
    teacher_entropy: 0,
  };
  checkSchedules(ours, theirs);
  checkSchedules({ ...ours, lr: 0 }, { ...theirs, lr: 0 });
  assert.throws(
    () => checkSchedules(ours, { ...theirs, momentum: ours.momentum + 1e-6 }),
    /teacher momentum of step 7/,
  );
});

const figureOf = (encoder: string, metric: string, percent: number): Figure => ({
  group: "",
  metric,
  encoder,
  percent,
});

const SETUP: Setup = {
  kind: "setup",
  command: "deno task bench:quality x.yaml",
  adapter: "an adapter",
  machine: "a machine",
  deno: "2",
  torch: "1.13",
  threads: 1,
  data: "5 pictures",
  feature: "quad",
  steps: 5,
  stepsPerEpoch: 2,
  names: ["Hatchling", "PyTorch", "Hatchling seed 1"],
  baseline: [figureOf("raw pixels", "view retrieval R@1", 3)],
};
const stepLine = (step: number, loss: number[], ms = [10, 20, 30]): StepLine => ({
  kind: "step",
  step,
  loss,
  teacherEntropy: loss,
  ms,
  cropsMs: 5,
});
const evaluationLine = (step: number, [a, b]: [number, number]): EvaluationLine => ({
  kind: "evaluation",
  step,
  figures: [
    figureOf("Hatchling", "view retrieval R@1", a),
    figureOf("PyTorch", "view retrieval R@1", b),
    figureOf("Hatchling seed 1", "view retrieval R@1", 0),
  ],
  crossCheck: 0.25,
  distance: [0, 0.125, null],
});
const LINES: Line[] = [
  evaluationLine(0, [1, 1]),
  stepLine(0, [4, 4.004, 5], [999, 999, 999]), // it compiles: its time does not count
  stepLine(1, [3, 3.2, 4], [10, 20, 30]),
  evaluationLine(2, [2, 2.5]),
  stepLine(2, [2, 1.5, 1], [12, 24, 36]),
];

Deno.test("summarize() takes means by epoch, the last one short, and medians without the first step", () => {
  const found = summarize(SETUP, LINES);
  assert.equal(found.steps, 3);
  assert.deepEqual(found.epochs.map(({ epoch, loss }) => [epoch, loss[0]]), [[1, 3.5], [2, 2]]);
  const apart = found.epochs.flatMap((e) => e.apart.map((x) => x.toFixed(6)));
  assert.deepEqual(apart, ["0.000000", "0.102000", "1.000000", "0.000000", "0.500000", "1.000000"]);
  assert.equal(found.firstLoss[1].toFixed(9), "0.001000000");
  assert.deepEqual([found.stepMs, found.cropsMs], [[11, 22, 33], 5]);
  assert.deepEqual(found.evaluations.map(({ step }) => step), [0, 2]);
  const empty = summarize(SETUP, []);
  assert.deepEqual([empty.steps, empty.epochs, empty.stepMs], [0, [], []]);
});

Deno.test("summarize() tells InfoNCE beside another loss, not where it is the loss", () => {
  const beside = [0, 1].map((step): StepLine => ({
    ...stepLine(step, [4, 5, 6]),
    contrastive: [1, 1.5, 1 + step],
  }));
  assert.deepEqual(summarize(SETUP, beside).epochs[0].contrastive, {
    loss: [1, 1.5, 1.5],
    apart: [0, 0.5, 0.5],
  });
  assert.match(reportText(summarize(SETUP, beside)), /InfoNCE, the same/);
  for (const contrastive of [[4, 5, 6], [null, null, null]]) {
    const found = summarize(SETUP, [{ ...stepLine(0, [4, 5, 6]), contrastive }]);
    assert.equal(found.epochs[0].contrastive, undefined);
    assert.doesNotMatch(reportText(found), /InfoNCE/);
  }
});

Deno.test("reportText() of PyTorch alone compares it with nobody", () => {
  const alone = { ...SETUP, names: ["PyTorch simdino"] };
  const evaluation = {
    ...evaluationLine(1, [1, 1]),
    figures: [figureOf("PyTorch simdino", "view retrieval R@1", 2)],
    distance: [0],
  };
  const text = reportText(summarize(alone, [stepLine(0, [4], [10]), evaluation]));
  assert.match(text, /PyTorch simdino/);
  assert.doesNotMatch(text, /the first's|NaN|undefined/);
});

Deno.test("reportText() shows losses, figures, distances and times", () => {
  const text = reportText(summarize(SETUP, LINES));
  for (
    const part of [
      "deno task bench:quality x.yaml",
      "3 of 5 steps",
      "3.6020 (1.0e-1)",
      "PyTorch 1.0e-3",
      "0.125",
      "0.250 points",
      "raw pixels",
      "Hatchling 11, PyTorch 22, Hatchling seed 1 33; the crops 5",
    ]
  ) assert.ok(text.includes(part), `${part} in\n${text}`);
  assert.doesNotMatch(text, /NaN|undefined|null/);
  assert.doesNotMatch(reportText(summarize(SETUP, [])), /NaN|undefined/);
});

Deno.test("relativeDistance() compares the way between two with the way from the start", () => {
  const map = (...values: number[]) => new Map([["w", Float32Array.from(values)]]);
  const start = map(1, 1);
  assert.equal(relativeDistance(map(4, 5), map(4, 5), start), 0);
  assert.equal(relativeDistance(map(4, 5), map(4, 0), start), 1);
  assert.equal(relativeDistance(start, start, start), 0);
  assert.equal(relativeDistance(start, map(4, 5), start), Infinity);
});

Deno.test("largestDifference() is over what both have measured", () => {
  const figures = [figureOf("a", "x", 10), figureOf("a", "y", 20), figureOf("a", "z", 90)];
  assert.equal(largestDifference(figures, { x: 10.5, y: 18 }), 2);
  assert.ok(Number.isNaN(largestDifference(figures, { other: 1 })));
});

Deno.test("sharesApart() is over all shares of each, by name", () => {
  const figures = [
    figureOf("a", "x", 10),
    figureOf("a", "y", 20),
    figureOf("b", "x", 10.5),
    figureOf("b", "y", 18),
    { group: "", metric: "rank", encoder: "a", value: 3 },
    { group: "", metric: "rank", encoder: "b", value: 300 },
  ];
  const [own, other, none] = sharesApart(figures, ["a", "b", "c"]);
  assert.deepEqual([own, other], [0, 2]);
  assert.ok(Number.isNaN(none));
});

Deno.test("curveMetrics() takes one figure of each kind that the data set has", () => {
  const list = ["view retrieval R@1", "view retrieval R@5", "b → a R@1", "digit k-NN (k 10)"];
  const more = ["digit k-NN top-5 (k 10)", "digit k-NN (k 20)", "b → a R@5"];
  const figures = [...list, ...more].map((metric) => figureOf("a", metric, 1));
  assert.deepEqual(curveMetrics(figures), [list[0], list[2], list[3]]);
  assert.deepEqual(curveMetrics([]), []);
  const white = list.map((metric) => figureOf("a", WHITENED + metric, 1));
  const both = [list[0], list[2], list[3]];
  assert.deepEqual(curveMetrics([...white, ...figures]), [
    ...both,
    ...both.map((metric) => WHITENED + metric),
  ]);
});

Deno.test("curvesSvg() draws what there is", () => {
  const steps = LINES.filter((line) => line.kind === "step");
  const svg = curvesSvg(summarize(SETUP, LINES), steps);
  for (
    const text of ["an adapter", ">Hatchling seed 1<", ">loss<", ">view retrieval R@1, %<"]
  ) {
    assert.ok(svg.includes(text), text);
  }
  for (const drawn of [svg, curvesSvg(summarize(SETUP, LINES.slice(0, 1)), [])]) {
    assert.doesNotMatch(drawn, /NaN|undefined|Infinity/);
  }
});

Deno.test("smooth() keeps the mean and at most a hundred points", () => {
  const points = Array.from({ length: 1180 }, (_, i) => [i, 2 * i] as const);
  const short = smooth(points);
  assert.equal(short.length, 99); // 98 of twelve, and the four that are left
  assert.deepEqual(short[0], [5.5, 11]);
  assert.deepEqual(short.at(-1), [1177.5, 2355]);
  assert.deepEqual(smooth([]), []);
});

Deno.test("ticks() are round, few, and hold all values", () => {
  for (const [low, high] of [[0.7, 22], [3.9, 5.6], [65.21, 65.24], [5, 5], [0, 0], [0, 99.9]]) {
    const [list, from, to] = ticks(low, high);
    assert.ok(from <= low && to >= high, `${low} … ${high}: ${list}`);
    assert.ok(list.length >= 2 && list.length <= 7, `${low} … ${high}: ${list}`);
  }
  assert.deepEqual(ticks(0.7, 22)[0], [0, 5, 10, 15, 20, 25]);
});

Deno.test("vendorsOf() finds rows by vendor and identity, but for queries without an answer", () => {
  const vendor = labelsOf(["a", "b", "b", "a", "a"]);
  const identity = labelsOf(["cat", "dog", "cat", "dog", "owl"]);
  const side = (indices: number[]) =>
    ({ dataset: { labels: { vendor, identity } }, encoded: { indices } }) as unknown as Side;
  const { vendors_name, vendors } = vendorsOf({ gallery: side([4, 3, 2, 1, 0]) })!;
  assert.equal(vendors_name, "a → b");
  assert.deepEqual(vendors, {
    queries: [1, 4],
    query_ids: [1, 0],
    gallery: [2, 3],
    gallery_ids: [0, 1],
  });
  assert.equal(vendorsOf({ gallery: side([0, 3]) }), undefined);
  const plain = { dataset: {}, encoded: { indices: [0] } } as unknown as Side;
  assert.equal(vendorsOf({ gallery: plain }), undefined);
});

folderTest("openResults() writes line by line and never over older results", async (folder) => {
  const out = join(folder, "new", "results");
  const results = await openResults(out);
  await results.begin(SETUP);
  for (const line of LINES) await results.add(line);
  const text = await Deno.readTextFile(join(out, "results.jsonl"));
  assert.deepEqual(text.trim().split("\n").map((line) => JSON.parse(line)), [SETUP, ...LINES]);
  const summary = summarize(SETUP, LINES);
  assert.deepEqual(await results.sumUp(), summary);
  assert.deepEqual(JSON.parse(await Deno.readTextFile(join(out, "results.json"))), summary);
  const steps = LINES.filter((line) => line.kind === "step");
  assert.equal(await Deno.readTextFile(join(out, "curves.svg")), curvesSvg(summary, steps));
  await assert.rejects(openResults(out), /a folder without results but found/);
});

gpuTest("openHatchling() trains as a trainer does, from the weights of its seed", async (gpu) => {
  const config = parseConfig(RECIPE);
  const model = modelOf(config);
  const crops = [gpu.persistent([4, 3, 16, 16]), gpu.persistent([4, 3, 8, 8])];
  const values = crops.map(({ size }, c) =>
    Float32Array.from({ length: size }, (_, i) => Math.sin(i + c))
  );
  crops.forEach((crop, c) => crop.write(values[c]));
  const encodeWith = () => Promise.reject(new Error("nobody asks"));
  const shared = { config, model, crops, encodeWith };
  const one = await openHatchling(gpu, { ...shared, name: "one", seed: config.training.seed });
  const other = await openHatchling(gpu, { ...shared, name: "other", seed: 5 });
  assert.deepEqual([one.sameStart, other.sameStart], [true, false]);

  const trainer = new Trainer(gpu, model, trainerOptionsOf(config));
  trainer.load(initialize(model.specs(), config.training.seed));
  const program = await record(gpu, () => trainer.step(crops));
  const valuesOf = scheduleOf(config, 3);
  const losses = { one: [] as number[], other: [] as number[], trainer: [] as number[] };
  for (let step = 0; step < 3; step++) {
    const found = await one.step(valuesOf(step), { tensors: crops, values });
    assert.ok(found.ms > 0 && found.teacherEntropy! > 0);
    losses.one.push(found.loss);
    losses.other.push((await other.step(valuesOf(step), { tensors: crops, values })).loss);
    trainer.set(valuesOf(step));
    program.run();
    losses.trainer.push((await program.outputs.metrics.read())[0]);
  }
  assert.deepEqual(losses.one, losses.trainer);
  assert.notDeepEqual(losses.other, losses.one);
  assert.deepEqual(await one.weights(), await trainer.teacher!.save());

  await one.close();
  await other.close();
  for (const part of [program, trainer, ...crops]) part.destroy();
});

gpuTest("openHatchling() names the step whose numbers are not finite", async (gpu) => {
  const config = parseConfig(RECIPE);
  const crops = [gpu.persistent([4, 3, 16, 16]), gpu.persistent([4, 3, 8, 8])];
  crops[0].write(new Float32Array(crops[0].size).fill(NaN));
  const encodeWith = () => Promise.reject(new Error("nobody asks"));
  const options = { name: "x", config, model: modelOf(config), crops, encodeWith, seed: 0 };
  const one = await openHatchling(gpu, options);
  const step = one.step(scheduleOf(config, 3)(2), { tensors: crops, values: [] });
  await assert.rejects(step, /x has met others in step 2/);
  await one.close();
  for (const crop of crops) crop.destroy();
});

folderTest(
  "readResults() reads a comparison that was killed in the middle of a line",
  async (folder) => {
    const path = join(folder, "results.jsonl");
    const text = [SETUP, ...LINES].map((line) => JSON.stringify(line) + "\n").join("");
    await Deno.writeTextFile(path, text + JSON.stringify(LINES[0]).slice(0, 30));
    assert.deepEqual(await readResults(folder), { setup: SETUP, lines: LINES });
    await Deno.writeTextFile(path, text.slice(text.indexOf("\n") + 1));
    await assert.rejects(readResults(folder), /begin with what is compared but found/);
    await Deno.writeTextFile(path, "");
    await assert.rejects(readResults(folder), /but found nothing/);
    await Deno.writeTextFile(path, "{\n");
    await assert.rejects(readResults(folder), /lines of JSON in/);
    await Deno.remove(path);
    await assert.rejects(readResults(folder), HatchlingError);
  },
);

gpuTest(
  "judge() takes whitened features alike, and tells how far a side's own figures are",
  async (gpu) => {
    const rows = 12, dim = 3;
    const data = Float32Array.from({ length: rows * dim }, (_, i) => Math.sin(i * i) + (i % 3) * 5);
    const whole = { data, shape: [rows, dim] };
    const kind = labelsOf(Array.from({ length: rows }, (_, i) => "abc"[i % 3]));
    const dataset = { name: "dots", length: rows, labels: { kind } } as unknown as Side["dataset"];
    const unit = { data: l2Normalize(data, dim), shape: whole.shape };
    const encoded = { indices: [...kind.values.keys()], whole: unit, raw: { whole } };
    const sides = { gallery: { dataset, encoded } };
    const options = { knnK: [3], knnTemperature: 0.07, seed: 0 };
    const plain = await judge(gpu, { sides }, "one", options);
    assert.ok(plain.figures.every(({ metric }) => !metric.startsWith(WHITENED)));
    assert.equal(plain.apart, 0);
    const name = "kind k-NN (k 3)";
    const percent = plain.figures.find(({ metric }) => metric === name)!.percent!;
    const own = { plain: { [name]: percent - 2 } };
    const both = await judge(gpu, { sides, own }, "one", { ...options, alpha: 1 });
    assert.equal(both.apart, 2);
    const white = both.figures.filter(({ metric }) => metric.startsWith(WHITENED));
    assert.deepEqual(
      white.map(({ metric }) => metric.slice(WHITENED.length)),
      plain.figures.filter(({ percent }) => percent !== undefined).map(({ metric }) => metric),
    );
    assert.ok(white.every(({ encoder }) => encoder === "one"));
  },
);
