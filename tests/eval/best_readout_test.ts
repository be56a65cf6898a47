import assert from "node:assert/strict";
import { bestReadout } from "../../lib/eval/best_readout.ts";
import type { Figure } from "../../lib/eval/figures.ts";

const METRICS = ["google → twitter R@1", "view retrieval R@1", "category k-NN (k 10)"];

/** Figures of encoders, each R@1 of vendors, of views, and k-NN. */
function figuresOf(all: Record<string, number[]>): Figure[] {
  return Object.entries(all).flatMap(([encoder, percents]) =>
    percents.map((percent, i) => ({ group: "", metric: METRICS[i], encoder, percent }))
  );
}

Deno.test("bestReadout() compares like with like, and takes the higher figures of those that stand alike", () => {
  const best = bestReadout(figuresOf({
    "teacher (class)": [8.8, 1.0, 52.7],
    "teacher (grid)": [37.5, 5.6, 66.0],
    "random init (grid)": [26.0, 1.6, 57.5],
    "raw pixels": [34.6, 3.0, 60.2],
    "teacher (class, whitened)": [9.9, 1.1, 53.0],
    "teacher (grid, whitened)": [44.3, 4.5, 69.9],
    "random init (grid, whitened)": [36.9, 1.8, 60.2],
    "raw pixels (whitened)": [39.6, 1.7, 66.6],
  }));
  assert.deepEqual(best, {
    encoder: "teacher (grid, whitened)",
    feature: "grid",
    whitened: true,
    text: "best readout here (of 4): grid, whitened: above raw pixels whitened in 3 of 3 figures " +
      "(google → twitter R@1 44.3 against 39.6 %, view retrieval R@1 4.5 against 1.7 %, " +
      "category k-NN (k 10) 69.9 against 66.6 %)",
  });
});

Deno.test("bestReadout() doesn't take higher figures that raw pixels, treated alike, reach without a model", () => {
  const figures = figuresOf({
    "teacher (grid)": [37.5, 9, 69],
    "raw pixels": [30, 3, 60],
    "teacher (grid, whitened)": [45, 8, 75],
    "raw pixels (whitened)": [50, 2, 75.4],
  });
  const best = bestReadout(figures);
  assert.equal(best?.encoder, "teacher (grid)");
  const other = bestReadout(figures.filter(({ encoder }) => encoder !== "teacher (grid)"));
  assert.equal(
    other?.text,
    "readout: grid, whitened: above raw pixels whitened in 1 of 3 figures (view retrieval R@1 8.0 against 2.0 %), " +
      "level with in 1 (category k-NN (k 10) 75.0 against 75.4 %), " +
      "below in 1 (google → twitter R@1 45.0 against 50.0 %)",
  );
});

Deno.test("bestReadout() says when the best is below raw pixels, and when there are none beside it", () => {
  const below = bestReadout(
    figuresOf({ "teacher (class)": [4, 2, 60], "raw pixels": [20, 8, 80] }),
  );
  assert.match(below!.text, /^readout: class, plain: below raw pixels plain in 3 of 3 figures \(/);
  const alone = bestReadout(figuresOf({ "teacher (class)": [4], "teacher (quad)": [5] }));
  assert.equal(alone!.encoder, "teacher (quad)");
  assert.match(
    alone!.text,
    /^best readout here \(of 2\): quad, plain: google → twitter R@1 5.0 %; not compared with raw pixels/,
  );
  assert.equal(bestReadout(figuresOf({ "raw pixels": [20] })), undefined);
  assert.equal(bestReadout([]), undefined);
});

Deno.test("bestReadout() knows how much differences weigh by how many pictures were judged", () => {
  const figures = figuresOf({ "teacher (grid)": [31], "raw pixels": [30] });
  assert.match(
    bestReadout(figures, { pictures: 100 })!.text,
    /level with raw pixels plain in 1 of 1/,
  );
  assert.match(
    bestReadout(figures, { pictures: 10_000 })!.text,
    /above raw pixels plain in 1 of 1/,
  );
});
