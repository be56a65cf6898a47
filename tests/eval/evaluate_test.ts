import assert from "node:assert/strict";
import { DamagedPictureError, type Dataset, labelsOf } from "../../lib/data/dataset.ts";
import type { Picture } from "../../lib/data/image.ts";
import { type EncodeOptions, encodePictures } from "../../lib/eval/encode.ts";
import { type Encoder, pixelEncoder } from "../../lib/eval/encoder.ts";
import { evaluate, type EvaluateOptions } from "../../lib/eval/evaluate.ts";
import { figureTable } from "../../lib/eval/figures.ts";
import type { Gpu, Tensor } from "../../lib/gpu.ts";
import { rowSum } from "../../lib/ops.ts";
import { paint } from "../data/support.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";

const OPTIONS: EncodeOptions = {
  batchSize: 4,
  seed: 3,
  views: true,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};
const EVALUATION: EvaluateOptions = {
  ...OPTIONS,
  knnK: [1],
  knnTemperature: 0.07,
  maxImages: null,
};

/** Features that are known beforehand: the sum of each channel. */
function meanColour(gpu: Gpu, size = 8): Encoder {
  return {
    name: `mean colour at ${size}`,
    size,
    imageBytes: 4 * 3 * size * size,
    encode: (images) => {
      const [n] = images.shape;
      return rowSum(gpu, images.view([3 * n, size * size])).view([n, 3]);
    },
  };
}

function dataset(pictures: Picture[], labels?: Dataset["labels"]): Dataset {
  return {
    name: "colours",
    length: pictures.length,
    largestPixels: Math.max(...pictures.map(({ width, height }) => width * height)),
    picture: (i) => pictures[i],
    id: String,
    labels,
    skipped: [],
  };
}

const plain = (rgb: number[], width = 12, height = 9) =>
  paint(width, height, (_x, _y, c) => rgb[c]);
const unit = (rgb: number[]) => rgb.map((v) => v / Math.hypot(...rgb));

const COLOURS = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [
  255,
  0,
  255,
]];

/** Pictures of many colours and sizes. */
const GRADIENTS = Array.from(
  { length: 7 },
  (_, i) =>
    paint(20 + 5 * i, 40 - 4 * i, (x, y, c) => (x * (i + 2) + y * (c + 1) * 3 + 40 * i) % 256),
);

gpuTest(
  "encodePictures() sees the central square of each picture, in the given order",
  async (gpu) => {
    // A square of its own colour between green margins.
    const framed = COLOURS.map((rgb, i) => {
      const [width, height] = i % 2 ? [30, 10] : [10, 30];
      return paint(
        width,
        height,
        (x, y, c) => Math.floor(Math.max(x, y) / 10) === 1 ? rgb[c] : [0, 99, 0][c],
      );
    });
    const indices = [4, 0, 5, 2, 1];
    const done: number[] = [];
    const [{ whole, indices: kept }] = await encodePictures(gpu, dataset(framed), indices, [
      meanColour(gpu),
    ], {
      ...OPTIONS,
      batchSize: 2,
      onProgress: (n) => done.push(n),
    });
    assert.deepEqual(whole.shape, [5, 3]);
    assert.deepEqual(kept, indices);
    assertClose(
      whole.data,
      indices.flatMap((i) => unit(COLOURS[i])),
      1e-6,
    );
    assert.deepEqual(done, [2, 4, 5]);
  },
);

gpuTest(
  "encodePictures() takes fewer pictures at once where a binding holds no more",
  async (gpu) => {
    const done: number[] = [];
    const third = Math.floor(gpu.limits.maxStorageBufferBindingSize / 3);
    const pictures = dataset(COLOURS.map((rgb) => plain(rgb)));
    await encodePictures(gpu, pictures, [0, 1, 2, 3, 4], [
      { ...meanColour(gpu), imageBytes: third },
      meanColour(gpu, 4),
    ], { ...OPTIONS, onProgress: (n) => done.push(n) });
    assert.deepEqual(done, [3, 5]);
  },
);

gpuTest("encodePictures() normalises as the model was trained", async (gpu) => {
  const mean: [number, number, number] = [0.5, 0.25, 0];
  const std: [number, number, number] = [0.5, 0.25, 2];
  const [{ whole }] = await encodePictures(gpu, dataset([plain([51, 204, 102])]), [0], [
    meanColour(gpu),
  ], {
    ...OPTIONS,
    mean,
    std,
  });
  assertClose(whole.data, unit([0.2, 0.8, 0.4].map((v, c) => (v - mean[c]) / std[c])), 1e-5);
});

gpuTest("encodePictures() draws views by seed and picture alone", async (gpu) => {
  const data = dataset(GRADIENTS);
  const all = [0, 1, 2, 3, 4, 5, 6];
  const encode = async (indices: number[], change: Partial<EncodeOptions> = {}) => {
    const [found] = await encodePictures(gpu, data, indices, [pixelEncoder()], {
      ...OPTIONS,
      ...change,
    });
    return found;
  };
  const { views, whole } = await encode(all);
  const again = await encode(all, { batchSize: 3 });
  assert.deepEqual([again.views, again.whole], [views, whole], "another batch size");
  const dim = 16 * 16 * 3;
  const single = await encode([5]);
  assert.deepEqual(single.views!.data, views!.data.slice(5 * dim, 6 * dim), "alone");
  assert.notDeepEqual(views!.data, whole.data);
  const other = await encode(all, { seed: 4 });
  assert.deepEqual(other.whole, whole, "whole pictures need no seed");
  for (const i of all) {
    const row = (x: Float32Array) => x.slice(i * dim, (i + 1) * dim);
    assert.notDeepEqual(row(other.views!.data), row(views!.data), `view of picture ${i}`);
  }
  assert.equal((await encode(all, { views: false })).views, undefined);
  const twins = dataset([GRADIENTS[0], GRADIENTS[0]]);
  const [{ whole: same, views: different }] = await encodePictures(
    gpu,
    twins,
    [0, 1],
    [pixelEncoder()],
    OPTIONS,
  );
  assert.deepEqual(same.data.slice(0, dim), same.data.slice(dim));
  assert.notDeepEqual(different!.data.slice(0, dim), different!.data.slice(dim), "its own draw");
});

gpuTest("encodePictures() shows every encoder the same views", async (gpu) => {
  const encoders = [meanColour(gpu, 32), meanColour(gpu, 16)];
  const [a, b] = await encodePictures(gpu, dataset(GRADIENTS), [0, 1, 2, 3], encoders, OPTIONS);
  assertClose(a.views!.data, b.views!.data, 0.02);
  assertClose(a.whole.data, b.whole.data, 0.02);
  const far = a.views!.data.reduce(
    (most, v, i) => Math.max(most, Math.abs(v - a.whole.data[i])),
    0,
  );
  assert.ok(far > 0.05, "views do not differ from whole pictures");
});

gpuTest("encodePictures() leaves out pictures that turn out to be damaged", async (gpu) => {
  const damaged = [0, 3, 4];
  const data = {
    ...dataset(COLOURS.map((rgb) => plain(rgb))),
    picture: (i: number) => {
      if (damaged.includes(i)) throw new DamagedPictureError(`${i}.png: damaged`);
      return plain(COLOURS[i]);
    },
  };
  const encode = (indices: number[]) =>
    encodePictures(gpu, data, indices, [meanColour(gpu)], { ...OPTIONS, batchSize: 2 });
  const [{ whole, views, indices }] = await encode([0, 1, 2, 3, 4, 5]);
  assert.deepEqual(indices, [1, 2, 5]);
  assertClose(whole.data, [1, 2, 5].flatMap((i) => unit(COLOURS[i])), 1e-6);
  assert.deepEqual(views!.shape, [3, 3]);
  await assert.rejects(encode([4, 3]), /found none among the 2 asked for in colours/);
  const broken = { ...data, picture: () => Promise.reject(new Error("out of memory")) };
  await assert.rejects(
    encodePictures(gpu, broken, [1], [meanColour(gpu)], OPTIONS),
    /out of memory/,
  );
});

gpuTest("pixelEncoder() gives the pixels", async (gpu) => {
  assert.deepEqual([pixelEncoder().name, pixelEncoder().size], ["raw pixels", 16]);
  const images = gpu.tensor(normals(2 * 768, 1), [2, 3, 16, 16]);
  const pixels = gpu.scope(() => pixelEncoder().encode(images));
  assert.deepEqual(pixels.shape, [2, 768]);
  assert.deepEqual(await pixels.read(), await images.read());
  images.destroy();
});

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

Deno.test("figureTable() shows whitened features beside each other alone", () => {
  const figure = (encoder: string, percent: number) => {
    return { group: "", metric: "R@1", encoder, percent };
  };
  const [plain, whitened] = figureTable([
    figure("teacher (grid)", 1),
    figure("teacher (grid, whitened)", 2),
    figure("raw pixels", 3),
    figure("raw pixels (whitened)", 4),
  ]).split("\n\n\n").map((table) => table.split("\n").map((line) => line.trim().split(/\s{2,}/)));
  assert.deepEqual(plain, [["teacher (grid)", "raw pixels"], ["R@1", "1.0 %", "3.0 %"]]);
  assert.deepEqual(whitened, [
    ["teacher (grid, whitened)", "raw pixels (whitened)"],
    ["R@1", "2.0 %", "4.0 %"],
  ]);
  assert.equal(figureTable([figure("a (whitened)", 1)]).split("\n").length, 2);
});

Deno.test("figureTable() has metrics down, encoders across, and groups apart", () => {
  const table = figureTable([
    { group: "", metric: "view retrieval R@1", encoder: "teacher", percent: 12.345 },
    { group: "", metric: "alignment", encoder: "teacher", value: 0.12345 },
    { group: "kind", metric: "k-NN", encoder: "raw pixels", percent: 100 },
  ]);
  assert.deepEqual(table.split("\n").map((line) => line.trim().split(/ {2,}/)), [
    ["teacher", "raw pixels"],
    ["view retrieval R@1", "12.3 %"],
    ["alignment", "0.123"],
    [""],
    ["k-NN", "100.0 %"],
  ]);
  const [head, ...rows] = table.split("\n");
  assert.equal(rows[3].length, head.length, "columns are aligned");

  const long = figureTable(
    ["teacher at step 7080", "teacher at step 7080 (patches)"].map((encoder) => (
      { group: "", metric: "k-NN", encoder, percent: 50 }
    )),
  );
  assert.match(long, /7080 {2}teacher/, "long names stay apart");
  assert.match(long, /^k-NN +50.0 % +50.0 %$/m);
  assert.equal(new Set(long.split("\n").map((line) => line.length)).size, 1);
});
