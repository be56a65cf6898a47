import assert from "node:assert/strict";
import { type Dataset, labelsOf } from "../../lib/data/dataset.ts";
import { pixelEncoder } from "../../lib/eval/encoder.ts";
import { evaluate, type EvaluateOptions } from "../../lib/eval/evaluate.ts";
import type { Tensor } from "../../lib/gpu.ts";
import { gpuTest } from "../support/gpu.ts";
import { COLOURS, dataset, GRADIENTS, meanColour, OPTIONS, plain } from "./colours.ts";

const EVALUATION: EvaluateOptions = {
  ...OPTIONS,
  knnK: [1],
  knnTemperature: 0.07,
  maxImages: null,
};

gpuTest("evaluate() finds the picture to a view, and classifies by neighbours", async (gpu) => {
  // Three shades of each colour: far from all others, so that everything is found.
  const shades = COLOURS.flatMap((rgb) =>
    [1, 0.9, 0.8].map((f) => plain(rgb.map((v) => 20 + v * f * 0.9)))
  );
  const kinds = shades.map((_, i) => `colour ${Math.floor(i / 3)}`);
  const labels = {
    colour: labelsOf(kinds),
    shade: labelsOf(shades.map((_, i) => `${i % 3}`)),
    same: labelsOf(shades.map(() => "all")),
  };
  const notes: string[] = [];
  const options = { ...EVALUATION, knnK: [1, 2, 99], onNote: (text: string) => notes.push(text) };
  const figures = await evaluate(gpu, dataset(shades, labels), [meanColour(gpu)], options);
  const percent = new Map(figures.map((f) => [f.metric, f.percent]));
  const byKind = (kind: string, top5: string[]) =>
    [
      "k-NN (k 1)",
      "k-NN (k 2)",
      "k-NN (k 17)",
      ...top5,
      "retrieval R@1",
      "retrieval R@5",
    ].map((metric) => `${kind} ${metric}`);
  assert.deepEqual([...percent.keys()], [
    "view retrieval R@1",
    "view retrieval R@5",
    "effective rank (RankMe)",
    "feature std",
    "uniformity",
    "alignment",
    ...byKind("colour", ["k-NN top-5 (k 17)"]),
    ...byKind("shade", []),
  ]);
  assert.deepEqual(notes, [
    "same: all pictures are of one class, so nothing is to be told apart",
    "k-NN (k 99): there are only 17 others, and all of them vote",
  ]);
  assert.equal(percent.get("colour k-NN (k 1)"), 100);
  assert.equal(percent.get("colour k-NN (k 2)"), 100);
  // A shade's neighbours are the other shades of its colour: never its own kind.
  assert.equal(percent.get("shade k-NN (k 1)"), 0);
  assert.equal(percent.get("shade k-NN (k 2)"), 0);
  assert.equal(percent.get("view retrieval R@5"), 100);
  assert.ok(percent.get("view retrieval R@1")! >= 100 / 3);
});

gpuTest("evaluate() looks for the first vendor's pictures among the second's", async (gpu) => {
  // Identities 0 to 3 of vendor x; y draws 0 and 1 alike, mixes up 2 and 3, and has 9 for itself.
  const [r, g, b, y, c] = COLOURS;
  const pictures = [r, g, b, y, r, g, y, b, c].map((rgb) => plain(rgb));
  const identities = ["0", "1", "2", "3", "0", "1", "2", "3", "9"];
  const labels = {
    identity: labelsOf(identities),
    vendor: labelsOf([..."xxxx", ..."yyyyy"]),
  };
  let notes: string[] = [];
  const run = async (change: Partial<Record<string, unknown>>) => {
    const all = Object.fromEntries(
      Object.entries({ ...labels, ...change }).filter(([, kind]) => kind),
    ) as Dataset["labels"];
    notes = [];
    return (await evaluate(gpu, dataset(pictures, all), [meanColour(gpu)], {
      ...EVALUATION,
      views: false,
      onNote: (text) => void notes.push(text),
    }))
      .filter(({ group }) => group === "vendor")
      .map(({ metric, percent }) => [metric, percent]);
  };
  assert.deepEqual(await run({}), [["x → y R@1", 50], ["x → y R@5", 100]]);
  assert.deepEqual(notes, []);
  assert.deepEqual(await run({ vendor: labelsOf([..."xyzxyzxyz"]) }), [], "three vendors");
  assert.match(notes.join(), /^identity, vendor: no figure, as there are 3 vendors and two/);
  assert.deepEqual(await run({ identity: labelsOf([..."abcdefghi"]) }), [], "nothing in common");
  assert.match(notes.join(), /^identity, vendor: no figure, as none of x is among those of y/);
  assert.deepEqual(await run({ vendor: undefined }), [], "identities alone");
  assert.match(notes.join(), /^identity: no figure, as there is no label vendor .*another name$/);
  assert.deepEqual(await run({ identity: undefined }), [], "vendors alone");
  assert.match(notes.join(), /^vendor: no figure, as there is no label identity beside it/);
});

gpuTest("evaluate() takes at most maxImages, the same ones for a seed", async (gpu) => {
  const seen: number[][] = [];
  const run = async (maxImages: number | null, seed: number) => {
    const asked: number[] = [];
    const data = dataset(GRADIENTS);
    const { picture } = data;
    data.picture = (i) => (asked.push(i), picture(i));
    await evaluate(gpu, data, [meanColour(gpu)], { ...EVALUATION, maxImages, seed });
    seen.push(asked);
  };
  for (const [maxImages, seed] of [[3, 1], [3, 1], [3, 2], [null, 1], [99, 1]] as const) {
    await run(maxImages, seed);
  }
  assert.equal(new Set(seen[0]).size, 3);
  assert.deepEqual(seen[1], seen[0]);
  assert.notDeepEqual(seen[2], seen[0]);
  for (const all of seen.slice(3)) assert.deepEqual(all, [0, 1, 2, 3, 4, 5, 6]);
});

gpuTest("evaluate() judges a test set by the data set, classes found by name", async (gpu) => {
  const shades = (f: number) => COLOURS.map((rgb) => plain(rgb.map((v) => 20 + v * f * 0.9)));
  const gallery = dataset([...shades(1), ...shades(0.9)], {
    colour: labelsOf([..."rgbyacrgbyac"]),
    more: labelsOf([..."aabbccaabbcc"]),
  });
  // Sorted names: "x" is unknown to the gallery and shifts no other.
  const test = dataset(shades(0.8), { colour: labelsOf([..."rgbyax"]) });
  const notes: string[] = [];
  const figures = await evaluate(gpu, gallery, [meanColour(gpu)], {
    ...EVALUATION,
    knnK: [1],
    probes: true,
    linearEpochs: 3,
    test,
    onNote: (text) => notes.push(text),
  });
  const percent = new Map(figures.map((f) => [f.metric, f.percent]));
  assert.equal(percent.get("colour k-NN (k 1)"), 100 * 5 / 6);
  assert.equal(percent.get("colour retrieval R@1"), 100);
  for (const metric of ["linear probe (ridge)", "linear probe (SGD)", "k-means purity"]) {
    assert.ok(percent.has(`colour ${metric}`), metric);
  }
  assert.ok(![...percent.keys()].some((metric) => metric.startsWith("more")));
  assert.equal(notes.length, 2);
  assert.match(notes[0], /^colour: 1 of 6 test pictures are of classes that colours lacks/);
  assert.match(notes[1], /^more: colours lacks such labels/);
});

gpuTest(
  "evaluate() leaves out a probe of very many dimensions, and says so",
  async (gpu) => {
    const sizes = async (maxEigenvalues: number) => {
      const notes: string[] = [];
      const encoders = [meanColour(gpu), { ...pixelEncoder(), size: 4 }, {
        ...pixelEncoder(),
        size: 4,
        name: "again",
      }];
      const labels = { kind: labelsOf([..."ababab"]) };
      const figures = await evaluate(
        gpu,
        dataset(COLOURS.map((rgb) => plain(rgb)), labels),
        encoders,
        {
          ...EVALUATION,
          views: false,
          probes: true,
          linearEpochs: 1,
          maxEigenvalues,
          onNote: (text) => notes.push(text),
        },
      );
      const of = (what: string) =>
        figures.filter((f) => f.metric.includes(what)).map((f) => f.encoder);
      return { rank: of("RankMe"), ridge: of("ridge"), sgd: of("SGD"), notes };
    };
    const all = ["mean colour at 8", "raw pixels", "again"];
    assert.deepEqual(await sizes(48), { rank: all, ridge: all, sgd: all, notes: [] });
    const ridge = "no linear probe (ridge) of 48 dimensions";
    assert.deepEqual(
      await sizes(47),
      { rank: all, ridge: [all[0]], sgd: all, notes: [`${ridge}, 47 at most`] },
    );
    assert.deepEqual(await sizes(5), {
      rank: all, // of five rows
      ridge: [all[0]],
      sgd: all,
      notes: [`${ridge}, 5 at most`],
    });
  },
);

gpuTest("evaluate() says when there are no labels", async (gpu) => {
  const notes: string[] = [];
  const figures = await evaluate(gpu, dataset(GRADIENTS), [meanColour(gpu)], {
    ...EVALUATION,
    probes: true,
    onNote: (text) => notes.push(text),
  });
  assert.deepEqual(new Set(figures.map(({ group }) => group)), new Set([""]));
  assert.deepEqual(notes, ["colours has no labels: only what needs none is measured"]);
});

gpuTest("evaluate() refuses features that are not finite", async (gpu) => {
  const broken = {
    ...meanColour(gpu),
    encode: (images: Tensor) => {
      const [n] = images.shape;
      return gpu.tensor(new Float32Array(3 * n).fill(NaN), [n, 3]);
    },
  };
  await assert.rejects(
    evaluate(gpu, dataset(GRADIENTS), [broken], EVALUATION),
    /Expected finite features but found NaN in row 0: the model that made them has diverged/,
  );
});
