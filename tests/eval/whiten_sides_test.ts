import assert from "node:assert/strict";
import type { Dataset } from "../../lib/data/dataset.ts";
import { type FeatureArray, l2Normalize } from "../../lib/eval/features.ts";
import type { Side } from "../../lib/eval/sides.ts";
import { fitWhitening, whiteningScale } from "../../lib/eval/whiten.ts";
import { isWhitenedName, whitenedName } from "../../lib/eval/readout.ts";
import { measureWhitened, whitenSides } from "../../lib/eval/whiten_sides.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";

const OPTIONS = { knnK: [1], knnTemperature: 0.07, seed: 0 };

function sideOf(
  data: ArrayLike<number>,
  dim: number,
  classes: number[],
  views?: Float32Array,
): Side {
  const array = (values: ArrayLike<number>): FeatureArray => {
    return { data: Float32Array.from(values), shape: [values.length / dim, dim] };
  };
  const normalized = (values: FeatureArray) => ({ ...values, data: l2Normalize(values.data, dim) });
  const raw = { whole: array(data), views: views && array(views) };
  const dataset: Dataset = {
    name: "numbers",
    length: classes.length,
    largestPixels: 1,
    picture: () => assert.fail("no picture is needed"),
    id: String,
    skipped: [],
    labels: { kind: { values: Int32Array.from(classes), names: ["a", "b"] } },
  };
  const indices = classes.map((_, i) => i);
  const encoded = {
    indices,
    whole: normalized(raw.whole),
    views: raw.views && normalized(raw.views),
    raw,
  };
  return { dataset, encoded };
}

/** Two classes that differ in a direction of little variance; the class is told by the sign of it. */
function twoClasses(rows: number, seed: number) {
  const classes = Array.from({ length: rows }, (_, i) => i % 2);
  const noise = normals(rows * 4, seed);
  const data = noise.map((value, i) => {
    const column = i % 4, row = Math.floor(i / 4);
    return column === 3 ? 5 + (classes[row] ? 1 : -1) + 0.1 * value : 20 * value;
  });
  return { classes, data };
}

gpuTest(
  "whitenSides() fits to the gallery alone, and turns all its features and views",
  async (gpu) => {
    const { classes, data } = twoClasses(40, 1), test = twoClasses(10, 2);
    const views = normals(40, 3);
    const sides = {
      gallery: sideOf(data, 4, classes),
      test: sideOf(test.data, 4, test.classes, views),
    };
    const { sides: whitened, whitening } = await whitenSides(gpu, sides, { alpha: 0.1 });
    assert.deepEqual(
      whitening,
      fitWhitening({ data: Float32Array.from(data), shape: [40, 4] }, { alpha: 0.1 }),
    );
    const scale = whiteningScale(whitening);
    const expected = (x: ArrayLike<number>) => {
      const centred = Float64Array.from(x, (value, i) => value - whitening.mean[i % 4]);
      return matmulF64(centred, whitening.components, [x.length / 4, 4, 4], false, true)
        .map((value, i) => value * scale[i % 4]);
    };
    const { gallery, test: judged } = whitened;
    assertClose(gallery.encoded.raw.whole.data, expected(data), 1e-5);
    assertClose(judged!.encoded.raw.whole.data, expected(test.data), 1e-5);
    assertClose(judged!.encoded.raw.views!.data, expected(views), 1e-5);
    assertClose(
      judged!.encoded.whole.data,
      l2Normalize(Float32Array.from(expected(test.data)), 4),
      1e-5,
    );
    assert.equal(gallery.encoded.views, undefined);
    assert.deepEqual(gallery.encoded.indices, sides.gallery.encoded.indices);
  },
);

gpuTest(
  "measureWhitened() finds what little variance tells, under a name of its own",
  async (gpu) => {
    const { classes, data } = twoClasses(60, 4);
    const sides = { gallery: sideOf(data, 4, classes) };
    const whiten = { alpha: 0.001 };
    const { figures, whitened } = await measureWhitened(gpu, sides, "teacher (grid)", {
      ...OPTIONS,
      probes: true,
      whiten,
    });
    assert.equal(whitened!.whitening.alpha, 0.001);
    assert.deepEqual(figures.map(({ metric }) => metric), [
      "kind k-NN (k 1)",
      "kind retrieval R@1",
      "kind retrieval R@5",
    ], "nothing but neighbours");
    assert.ok(figures.every(({ encoder }) => encoder === "teacher (grid, whitened)"));
    assert.ok(figures[0].percent! > 90, `${figures[0].percent} %`);
  },
);

gpuTest("measureWhitened() leaves out features that are all the same, and says so", async (gpu) => {
  const notes: string[] = [];
  const sides = { gallery: sideOf(new Float32Array(12).fill(1), 4, [0, 1, 0]) };
  const onNote = (text: string) => void notes.push(text);
  const measured = await measureWhitened(gpu, sides, "teacher", { ...OPTIONS, onNote });
  assert.deepEqual(measured, { figures: [] });
  assert.match(notes.join(), /^teacher: not whitened: .* all 3 pictures are the same/);
});

Deno.test("whitenedName() puts the word where others know it", () => {
  assert.equal(whitenedName("teacher (grid)"), "teacher (grid, whitened)");
  assert.equal(whitenedName("raw pixels"), "raw pixels (whitened)");
  for (const name of ["teacher", "teacher (grid)", "whitened.safetensors (class, last 4 blocks)"]) {
    assert.ok(!isWhitenedName(name) && isWhitenedName(whitenedName(name)));
  }
});
