/** The bench of photographs: what is cut, what is changed, what colours are, and who finds what. */
import assert from "node:assert/strict";
import { crop, onePerPicture, TILE, tilesOf } from "../bench/photos/cut.ts";
import { histogramEncoder } from "../bench/photos/histogram.ts";
import { judgePhotos } from "../bench/photos/judge.ts";
import { nearDuplicate, oneCrop, otherCrop } from "../bench/photos/variants.ts";
import { labelsOf } from "../lib/data/dataset.ts";
import type { Picture } from "../lib/data/image.ts";
import { pixelEncoder } from "../lib/eval/encoder.ts";
import { photo } from "../bench/photo.ts";
import { gpuTest } from "./support/gpu.ts";

/** A picture from the levels of its pixels. */
function paint(
  width: number,
  height: number,
  level: (x: number, y: number, c: number) => number,
): Picture {
  const data = new Uint8Array(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = level(i % width, Math.floor(i / width), c);
  }
  return { width, height, data };
}

const at = (
  { width, data }: Picture,
  x: number,
  y: number,
) => [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)];

Deno.test("tilesOf() cuts the middle of a picture, and leaves out what is flat", () => {
  const checked = (x: number, y: number) => (x + y) % 2 * 100;
  const tiles = tilesOf(paint(2 * TILE + 11, 5 * TILE + 3, checked));
  assert.deepEqual(tiles.map(({ row, column }) => [row, column]), [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
    [2, 0],
    [2, 1],
    [3, 0],
    [3, 1],
  ]);
  assert.ok(tiles.every(({ picture: { width, height } }) => width === TILE && height === TILE));
  assert.deepEqual(tilesOf(paint(2 * TILE - 1, 900, checked)), []);
  const half = tilesOf(paint(2 * TILE, 2 * TILE, (x, y) => x < TILE ? 200 : checked(x, y)));
  assert.deepEqual(half.map(({ column }) => column), [1, 1]);
});

Deno.test("crop() takes the pixels that it names", () => {
  const picture = paint(7, 5, (x, y, c) => 40 * c + 6 * x + y);
  const part = crop(picture, { left: 2, top: 1, width: 3, height: 4 });
  assert.deepEqual([part.width, part.height, part.data.length], [3, 4, 48]);
  for (let y = 0; y < 4; y++) {
    for (let x = 0; x < 3; x++) assert.deepEqual(at(part, x, y), at(picture, x + 2, y + 1));
  }
});

Deno.test("onePerPicture() takes the largest of several resolutions, and no variants", () => {
  const files = [
    ["w/Path/images/1280x800.jpg", 10],
    ["w/Path/images/2560x1600.jpg", 30],
    ["w/Path/images_dark/2560x1600.jpg", 90],
    ["b/Dune.jpg", 5],
    ["b/Dune_3840x2160.jpg", 50],
    ["b/Storm.PNG", 4],
    ["b/wood-d.webp", 9],
    ["b/wood-l.webp", 8],
    ["b/preview.jpg", 9],
    ["b/notes.txt", 99],
  ] as const;
  assert.deepEqual(onePerPicture(files), [
    "b/Dune_3840x2160.jpg",
    "b/Storm.PNG",
    "b/wood-l.webp",
    "w/Path/images/2560x1600.jpg",
  ]);
});

Deno.test("the variants show two thirds of one another, or nearly all", () => {
  const picture = photo(TILE, TILE, 3);
  const [one, other] = [oneCrop(picture), otherCrop(picture)];
  assert.deepEqual([one.width, other.height], [96, 96]);
  assert.deepEqual(at(one, 5, 9), at(picture, 5, 9));
  const [red] = at(picture, 32 + 5, 32 + 9);
  assert.ok(Math.abs(at(other, 5, 9)[0] - (0.9 * red + 28)) <= 0.5);
  assert.equal(at(other, 0, 0)[3], 255);
  const near = nearDuplicate(picture);
  assert.deepEqual([near.width, near.height], [71, 71]);
  const mean = ({ data }: Picture) => data.reduce((sum, v) => sum + v, 0) / data.length;
  assert.ok(Math.abs(mean(near) - mean(picture)) < 20 && near.data.every(Number.isFinite));
});

gpuTest("histogramEncoder() counts colours as a loop in doubles does", async (gpu) => {
  const [n, height, width] = [3, 5, 7];
  const mean = [0.1, 0.2, 0.3], std = [0.5, 0.7, 0.9];
  const plane = height * width;
  const levels = Float32Array.from({ length: n * 3 * plane }, (_, i) => {
    if (i < 3 * plane) return [0, 1, 0.5][Math.floor(i / plane)]; // one colour, at both ends
    if (i < 6 * plane) return (i * 0.618) % 1.4 - 0.2; // beyond black and white, as bicubic resizing gives
    return Math.fround((i * 0.37) % 1);
  });
  const channel = (i: number) => Math.floor(i / plane) % 3;
  const images = levels.map((v, i) => (v - mean[channel(i)]) / std[channel(i)]);
  const x = gpu.tensor(images, [n, 3, height, width]);
  const { y } = gpu.scope(() => ({ y: histogramEncoder(gpu, { mean, std }).encode(x) }));
  const found = await y.read();
  assert.deepEqual(y.shape, [n, 216]);
  const bin = (v: number) => Math.min(5, Math.floor(Math.min(1, Math.max(0, v)) * 6));
  for (let b = 0; b < n; b++) {
    const counts = new Float64Array(216);
    for (let i = 0; i < plane; i++) {
      const [r, g, blue] = [0, 1, 2].map((c) => bin(levels[(3 * b + c) * plane + i]));
      counts[36 * r + 6 * g + blue]++;
    }
    const row = found.subarray(216 * b, 216 * (b + 1));
    // Levels within rounding of a border may fall on either side: none of these are.
    for (let k = 0; k < 216; k++) assert.ok(Math.abs(row[k] - Math.sqrt(counts[k] / plane)) < 1e-6);
    assert.ok(Math.abs(row.reduce((sum, v) => sum + v * v, 0) - 1) < 1e-5);
  }
  for (const tensor of [x, y]) tensor.destroy();
});

gpuTest("judgePhotos() lets colours and pixels find their own, plain and whitened", async (gpu) => {
  const scenes = Array.from({ length: 12 }, (_, i) => `scene ${Math.floor(i / 4)}`);
  const colors = [[220, 40, 30], [30, 180, 60], [40, 60, 210]];
  const dataset = {
    name: "tiles",
    length: 12,
    largestPixels: TILE * TILE,
    skipped: [],
    id: String,
    labels: { folder: labelsOf(scenes) },
    picture: (i: number) =>
      paint(TILE, TILE, (x, y, c) => {
        const wave = Math.sin(x / (3 + i)) * Math.cos(y / (4 + (i * 5) % 7));
        return Math.max(0, Math.min(255, colors[Math.floor(i / 4)][c] + 20 * wave));
      }),
  };
  const [mean, std] = [[0.5, 0.5, 0.5], [0.25, 0.25, 0.25]];
  const encoders = [pixelEncoder(), histogramEncoder(gpu, { mean, std })];
  const figures = await judgePhotos(gpu, dataset, encoders, {
    ...{ batchSize: 5, mean, std },
    whiten: { alpha: 1 },
  });
  const names = ["raw pixels", "raw pixels (whitened)", "colours", "colours (whitened)"];
  assert.deepEqual([...new Set(figures.map(({ encoder }) => encoder))], names);
  assert.equal(figures.length, 4 * 6);
  for (const { percent } of figures) assert.ok(percent! >= 0 && percent! <= 100);
  const of = (encoder: string, metric: RegExp) =>
    figures.find((one) => one.encoder === encoder && metric.test(one.metric))!.percent!;
  assert.equal(of("colours", /scene R@1/), 100);
  assert.equal(of("raw pixels", /near-duplicate R@1/), 100);
  assert.ok(of("colours", /near-duplicate R@5/) >= of("colours", /near-duplicate R@1/));
});
