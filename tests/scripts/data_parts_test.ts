/** What `deno task data` is made of. */
import assert from "node:assert/strict";
import { augmentationOptions } from "../../lib/augmentation.ts";
import { parseConfig } from "../../lib/config.ts";
import { decodePicture } from "../../lib/data/decode.ts";
import { readHeader } from "../../lib/data/header.ts";
import type { Picture } from "../../lib/data/image.ts";
import { adviceFor } from "../../scripts/data/advice.ts";
import { type Check, progressText } from "../../scripts/data/check.ts";
import { factsOf, isMisnamed } from "../../scripts/data/facts.ts";
import { combine, momentsOf } from "../../scripts/data/moments.ts";
import { spreadIndices } from "../../lib/from_config/pictures.ts";
import { dataUris } from "../../lib/draw/data_uri.ts";
import { counted, groupsOf, histogram, spread } from "../../scripts/data/tally.ts";
import { phrasesOf, settingsTable } from "../../lib/draw/view_words.ts";
import { bytes, percent } from "../../lib/words.ts";
import { shown } from "../../lib/text.ts";
import { decodeTest } from "../data/support.ts";
import { permissionTest } from "../support/permissions.ts";

Deno.test("what is left of a check goes by bytes, and says so", () => {
  const MiB = 2 ** 20, of = { done: 900, files: 1000, damaged: 0, seconds: 10 };
  assert.equal(
    progressText({ ...of, doneBytes: 10 * MiB, allBytes: 130 * MiB }),
    "decoding: 900 of 1,000 pictures (10.0 MiB of 130.0 MiB), 0 damaged, about 2 min left",
  );
  const one = { ...of, done: 1, files: 1, doneBytes: MiB, allBytes: MiB };
  assert.match(progressText(one), /^decoding: 1 of 1 picture \(.*about 0 s left$/);
});

permissionTest(
  ["read"],
  "factsOf() tells how pixels are stored in files of all kinds",
  async () => {
    const expected: Record<string, string> = {
      "gif_animated.gif": "palette, animated",
      "gif_plain.gif": "palette",
      "gif_transparent.gif": "palette + alpha",
      "jpeg_420.jpg": "colour",
      "jpeg_cmyk.jpg": "CMYK",
      "jpeg_gray_progressive.jpg": "gray",
      "png_gray_1.png": "gray",
      "png_gray_16.png": "16-bit gray",
      "png_gray_alpha.png": "gray + alpha",
      "png_gray_transparent.png": "gray + alpha",
      "png_palette_4.png": "palette",
      "png_palette_alpha.png": "palette + alpha",
      "png_rgb.png": "colour",
      "png_rgba_16.png": "16-bit colour + alpha",
      "webp_animated_lossless.webp": "colour + alpha, animated",
      "webp_lossless.webp": "colour",
      "webp_lossless_alpha.webp": "colour + alpha",
      "webp_lossy.webp": "colour",
      "webp_lossy_alpha.webp": "colour + alpha",
    };
    const folder = new URL("../data/fixtures/pictures/", import.meta.url);
    for (const [name, kind] of Object.entries(expected)) {
      const file = await Deno.readFile(new URL(name, folder));
      const { format } = readHeader(file, true)!;
      const facts = factsOf(file, format);
      assert.equal(facts.kind + (facts.animated ? ", animated" : ""), kind, name);
      // Whatever is cut off: an answer, not an error and no endless loop.
      for (let n = 30; n < file.length; n++) factsOf(file.subarray(0, n), format);
    }
    assert.ok(isMisnamed("a.JPG", "PNG"));
    for (const [name, format] of [["a.jfif", "JPEG"], ["a", "GIF"], ["a.apng", "PNG"]] as const) {
      assert.ok(!isMisnamed(name, format), name);
    }
  },
);

decodeTest("dataUris() holds every channel of a picture", async () => {
  for (const channels of [1, 2, 3, 4, 7]) {
    const [width, height, planes] = [7, 5, Math.ceil(channels / 3)];
    const level = (c: number, i: number) => (c * 50 + i * 3) & 255;
    const data = new Uint8Array(4 * width * height * planes).fill(255);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < channels; c++) {
        data[4 * (width * height * Math.floor(c / 3) + i) + c % 3] = level(c, i);
      }
    }
    const uris = dataUris({ width, height, channels, data });
    assert.equal(uris.length, planes);
    for (let c = 0; c < channels; c++) {
      const file = Uint8Array.fromBase64(uris[Math.floor(c / 3)].split(",")[1]);
      const shown = await decodePicture(file, Infinity);
      for (let i = 0; i < width * height; i++) assert.equal(shown.data[4 * i + c % 3], level(c, i));
    }
  }
});

Deno.test("momentsOf() and combine() are exact for large sums", () => {
  const side = 2000;
  const white: Picture = {
    width: side,
    height: side,
    data: new Uint8Array(4 * side * side).fill(255),
  };
  const almost = { ...white, data: white.data.slice() };
  almost.data[0] = 254;
  assert.deepEqual(momentsOf(white), { mean: [255, 255, 255], variance: [0, 0, 0] });
  const n = side * side, p = 1 / n;
  const { mean, variance } = momentsOf(almost);
  assert.equal(mean[0], (255 * n - 1) / n);
  assert.ok(Math.abs(variance[0] / (p * (1 - p)) - 1) < 1e-12); // lost in E[x²] − E[x]²
  // Equal weights: one black pixel beside a white picture is half of all.
  const black: Picture = { width: 1, height: 1, data: Uint8Array.of(0, 0, 0, 255) };
  const both = combine([momentsOf(white), momentsOf(black)]);
  assert.deepEqual(both, { mean: Array(3).fill(127.5), variance: Array(3).fill(127.5 ** 2) });
});

Deno.test("spread(), histogram(), counted() and groupsOf() of few and of no numbers", () => {
  assert.deepEqual(spread(Float64Array.of(10, 9, 2, 100)), { min: 2, median: 9.5, max: 100 });
  assert.deepEqual(spread(new Float64Array()), { min: 0, median: 0, max: 0 });
  assert.deepEqual(histogram(Float64Array.of(1, 31, 32, 5000)), [
    { from: 0, to: 31, count: 2 },
    { from: 32, to: 63, count: 1 },
    { from: 4096, count: 1 },
  ]);
  assert.deepEqual(counted(["b", "a", "c", "c"]).map(({ name }) => name), ["c", "a", "b"]);
  assert.deepEqual(groupsOf(["x", undefined, "y", "x", undefined, "y", "x", "z"]), [[0, 3, 6], [
    2,
    5,
  ]]);
});

Deno.test("spreadIndices() gives different indices in order, whatever the length", () => {
  for (const [length, n] of [[10, 7], [5, 9], [1, 1], [60000, 1000]]) {
    const indices = spreadIndices(length, n);
    assert.equal(indices.length, Math.min(length, n));
    indices.forEach((i, k) => assert.ok(i >= 0 && i < length && (k === 0 || i > indices[k - 1])));
    assert.deepEqual(indices, spreadIndices(length, n));
  }
  assert.ok(new Set(spreadIndices(60000, 1000).map((i) => i % 10)).size === 10, "follows a period");
});

Deno.test("adviceFor() names the keys that help, and says nothing of what is well", () => {
  const well: Check = {
    folder: "x",
    pictures: 1000,
    bytes: 1e8,
    formats: [],
    kinds: [],
    width: { min: 300, median: 400, max: 500 },
    height: { min: 300, median: 400, max: 500 },
    aspect: { min: 1, median: 1, max: 1 },
    megapixels: { min: 0.1, median: 0.2, max: 0.3 },
    shorterSide: { min: 300, median: 400, max: 500 },
    shorterSides: [{ from: 256, to: 511, count: 1000 }],
    turned: 0,
    animated: 0,
    gray: 3,
    flat: [],
    misnamed: [],
    damaged: [],
    foreign: [],
    never: [],
    notes: [],
    others: 0,
    linked: 0,
    duplicates: [],
    duplicateBytes: 0,
    folders: [{ name: "a", count: 499 }, { name: "b", count: 498 }, { name: "c", count: 3 }],
    reduced: 0,
    muchReduced: 0,
    decodedBytes: 1e8,
  };
  const config = parseConfig("{}"), memory = 16 * 2 ** 30;
  const advice = (change: Partial<Check>, ram = memory) =>
    adviceFor({ ...well, ...change }, config, ram);
  assert.deepEqual(advice({}), []);
  const cases: [Partial<Check>, RegExp][] = [
    [
      { pictures: 12, folders: [{ name: "a", count: 12 }] },
      /^12 pictures are fewer than a batch of 64: set data\.batch_size to 12 or less/,
    ],
    [
      {
        shorterSides: [{ from: 64, to: 127, count: 1000 }],
        shorterSide: { min: 64, median: 100, max: 127 },
      },
      /^100 % .*\(224 px\).*Set augmentation\.global_crop_size to 96 or less/,
    ],
    [
      {
        folders: [{ name: "a", count: 600 }, { name: "b", count: 200 }, { name: "c", count: 200 }],
      },
      /^60 % .*\(a\)/,
    ],
    [{ gray: 1000 }, /model\.in_chans 1/],
    [
      { duplicates: [["a", "b", "c"]], duplicateBytes: 2048 },
      /^2 files are exact copies .*2\.0 KiB/,
    ],
    [{ samePixels: [["a", "b"]] }, /^1 file shows the very pixels/],
    [
      { decodedBytes: 2 ** 30 },
      /^all pictures decoded take 1\.0 GiB.* 50 % .*data\.cache_bytes to 1073741824 /,
    ],
  ];
  for (const [change, text] of cases) {
    const lines = advice(change);
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0], text);
  }
  const [cache, files] = advice({ decodedBytes: 40 * 2 ** 30, reduced: 900, muchReduced: 800 });
  assert.match(cache, /16\.0 GiB of memory, too little for all: data\.max_pixels below 262144/);
  assert.match(files, /^900 of 1,000 pictures .* 800 more than four times as many/);
});

Deno.test("views and numbers in words", () => {
  const options = augmentationOptions({ numLocalViews: 1, nGlobalCrops: 3, hue: 0 });
  const { head, rows } = settingsTable(options);
  assert.deepEqual(head, ["", "global view 1", "global views 2 to 3", "local view 1"]);
  assert.deepEqual(rows.find(([name]) => name === "blur")!.slice(1).map((x) => x.split(":")[0]), [
    "100 %",
    "10 %",
    "50 %",
  ]);
  assert.deepEqual(rows.find(([name]) => name === "· hue")!.slice(1), Array(3).fill("as it is"));
  const address = { seed: 0, epoch: 0, image: 0, view: 0, width: 100, height: 50, size: 8 };
  const phrases = phrasesOf({
    ...address,
    ops: [
      { op: "resized_crop", left: 1, top: 2, width: 50, height: 25, size: 8 },
      { op: "hflip" },
      { op: "hue", factor: -0.1 },
      { op: "gaussian_blur", sigma: 1 },
      { op: "normalize" },
    ],
  });
  assert.deepEqual(phrases, [
    "crop of 50 × 25 px at (1, 2), 25 % of the area, resized to 8 × 8",
    "flipped left to right",
    "hue turned by −36.0°",
    "blurred, σ 1.00 px",
  ]);
  assert.equal(bytes(1536 * 1024), "1.5 MiB");
  assert.deepEqual([0, 0.004, 0.05, 0.5].map(percent), ["0 %", "0.4 %", "5 %", "50 %"]);
  assert.equal(shown("ä\x1b[0m\n\u202egnp.exe"), "ä\\x1b[0m\\x0a\\u202egnp.exe");
});
