/** What is drawn for a view: boxes, frequencies, and independence of everything else. */
import assert from "node:assert/strict";
import globalStats from "../golden/golden_public/cropstats_global.json" with { type: "json" };
import localStats from "../golden/golden_public/cropstats_local.json" with { type: "json" };
import {
  AUGMENTATION_DEFAULTS,
  type AugmentationInput,
  augmentationOptions,
  type AugmentOp,
  cropBox,
  sampleView,
} from "../../lib/augmentation.ts";
import { packView, VIEW_FLOATS } from "../../lib/augmentation/parameters.ts";
import { runCropstats } from "../../scripts/common/golden/aug.ts";
import { Rng } from "../../lib/rng.ts";

const RATIO: [number, number] = [3 / 4, 4 / 3];

for (const doc of [globalStats, localStats]) {
  Deno.test(`cropBox() has torchvision's statistics when given ${doc.name}`, () => {
    const results = runCropstats(doc);
    assert.equal(results.length, 12);
    for (const { what, ratio } of results) assert.ok(ratio <= 1, `${what}: ${ratio}`);
  });
}

Deno.test("cropBox() stays within the picture when it is tiny or long", () => {
  for (const [width, height] of [[1, 1], [1, 90], [90, 1], [2, 3], [7, 500]]) {
    for (let i = 0; i < 200; i++) {
      const box = cropBox(new Rng(1, i), width, height, [0.05, 1], RATIO);
      assert.ok(box.width >= 1 && box.height >= 1 && box.top >= 0 && box.left >= 0);
      assert.ok(box.left + box.width <= width && box.top + box.height <= height);
    }
  }
});

Deno.test("cropBox() takes the largest central box when no try fits", () => {
  const box = (w: number, h: number) => cropBox(new Rng(1), w, h, [0.99, 1], RATIO);
  assert.deepEqual(box(90, 9), { top: 0, left: 39, height: 9, width: 12 });
  assert.deepEqual(box(9, 90), { top: 39, left: 0, height: 12, width: 9 });
});

const at = (image: number, view: number) => ({
  seed: 3,
  epoch: 2,
  image,
  view,
  width: 60,
  height: 50,
});

Deno.test("sampleView() depends on seed, epoch, image and view, and on nothing else", () => {
  const options = augmentationOptions();
  const base = sampleView(options, at(4, 1));
  assert.deepEqual(sampleView(options, at(4, 1)), base);
  for (const change of [{ seed: 4 }, { epoch: 3 }, { image: 5 }, { view: 0 }]) {
    const other = sampleView(options, { ...at(4, 1), ...change });
    assert.notDeepEqual(other.ops[0], base.ops[0]);
  }
});

Deno.test("sampleView() leaves all else as it was when a probability changes", () => {
  const always = augmentationOptions({ horizontalFlipProb: 1, colorJitterProb: 1 });
  const never = augmentationOptions({ horizontalFlipProb: 0, colorJitterProb: 0 });
  const colors = ["hflip", "brightness", "contrast", "saturation", "hue"];
  for (let image = 0; image < 50; image++) {
    const rest = sampleView(always, at(image, 1)).ops.filter(({ op }) => !colors.includes(op));
    assert.deepEqual(sampleView(never, at(image, 1)).ops, rest);
  }
});

Deno.test("sampleView() draws each operation as often as told", () => {
  const options = augmentationOptions({ numLocalViews: 1 });
  const n = 4000;
  const expected: Record<string, number[]> = { // global 1, global 2, local
    hflip: [0.5, 0.5, 0.5],
    hue: [0.8, 0.8, 0.8],
    contrast: [0.8, 0.8, 0.8],
    grayscale: [0.2, 0.2, 0.2],
    gaussian_blur: [1, 0.1, 0.5],
    solarize: [0, 0.2, 0],
  };
  for (const view of [0, 1, 2]) {
    const counts: Record<string, number> = {};
    for (let image = 0; image < n; image++) {
      for (const { op } of sampleView(options, at(image, view)).ops) {
        counts[op] = (counts[op] ?? 0) + 1;
      }
    }
    for (const [op, probabilities] of Object.entries(expected)) {
      const p = probabilities[view];
      const error = Math.abs((counts[op] ?? 0) / n - p);
      assert.ok(error <= 5 * Math.sqrt(p * (1 - p) / n), `${op} of view ${view}: off by ${error}`);
    }
  }
});

Deno.test("sampleView() keeps DINO's order and ranges, the jitter in any order", () => {
  const options = augmentationOptions({ colorJitterProb: 1, grayscaleProb: 1 });
  const orders = new Map<string, number>();
  for (let image = 0; image < 2400; image++) {
    const { ops, size } = sampleView(options, at(image, image % 10));
    const names = ops.map(({ op }) => op);
    const rest = names.filter((name) =>
      !["brightness", "contrast", "saturation", "hue"].includes(name)
    );
    const order = ["resized_crop", "hflip", "grayscale", "gaussian_blur", "solarize", "normalize"];
    assert.deepEqual(rest, order.filter((name) => rest.includes(name as AugmentOp["op"])));
    const first = names.findIndex((name) => name === "hflip") === 1 ? 2 : 1;
    const jitter = ops.slice(first, first + 4);
    orders.set(
      jitter.map(({ op }) => op).join(),
      1 + (orders.get(jitter.map(({ op }) => op).join()) ?? 0),
    );
    assert.equal(size, image % 10 < 2 ? 224 : 96);
    for (const op of ops) {
      if (op.op === "brightness" || op.op === "contrast") {
        assert.ok(op.factor >= 0.6 && op.factor <= 1.4);
      } else if (op.op === "saturation") assert.ok(op.factor >= 0.8 && op.factor <= 1.2);
      else if (op.op === "hue") assert.ok(Math.abs(op.factor) <= 0.1);
      else if (op.op === "gaussian_blur") assert.ok(op.sigma >= 0.1 && op.sigma <= 2);
    }
  }
  assert.equal(orders.size, 24);
  for (const count of orders.values()) assert.ok(Math.abs(count - 100) <= 5 * 10, `${count}`);
});

Deno.test("packView() maps the corners of the view onto those of the box, flipped or not", () => {
  const crop: AugmentOp = { op: "resized_crop", left: 5, top: 3, width: 30, height: 20, size: 16 };
  for (const flip of [false, true]) {
    const ops: AugmentOp[] = flip ? [crop, { op: "hflip" }] : [crop];
    const row = new Float32Array(VIEW_FLOATS);
    packView({ width: 40, height: 40, ops }, row);
    const map = (x: number, y: number) => [
      row[0] * x + row[4] * y + row[8],
      row[1] * x + row[5] * y + row[9],
    ];
    assert.deepEqual(map(0, 0), [flip ? 35 : 5, 3]);
    assert.deepEqual(map(16, 16), [flip ? 5 : 35, 23]);
  }
});

Deno.test("augmentationOptions() fills in DINO's defaults", () => {
  assert.deepEqual(augmentationOptions(), AUGMENTATION_DEFAULTS);
  const { global1, global2, local } = augmentationOptions({
    hue: 0.2,
    views: { local: { hue: 0.3 } },
  }).views;
  assert.deepEqual([global1.hue, global2.hue, local.hue], [0.2, 0.2, 0.3]);
  assert.deepEqual(augmentationOptions(augmentationOptions({ hue: 0.2 })).views.local.hue, 0.2);
  assert.deepEqual(augmentationOptions({ channels: 1 }).normalizeMean, [0.449]);
  assert.deepEqual(augmentationOptions({ channels: 2 }).normalizeStd, [0.25, 0.25]);
});

Deno.test("augmentationOptions() names the option when it is wrong", () => {
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ hueShift: 0.1 }, /Unknown augmentation option hueShift/],
    [{ hue: 0.6 }, /hue to be a number from 0 to 0\.5/],
    [{ nGlobalCrops: 1.5 }, /nGlobalCrops to be an integer/],
    [{ globalCropSize: 0 }, /globalCropSize/],
    [{ cropScale: [0.4, 0.05] }, /option cropScale to be \[min, max\]/],
    [{ views: { local: { cropScale: [0, 0.4] } } }, /views\.local\.cropScale/],
    [{ views: { global2: { gaussianBlurProb: 2 } } }, /views\.global2\.gaussianBlurProb/],
    [{ views: { global3: {} } }, /Unknown augmentation option views\.global3/],
    [{ views: { local: { hueShift: 1 } } }, /Unknown augmentation option views\.local\.hueShift/],
    [{ normalizeStd: [1, 1, 0] }, /normalizeStd/],
    [{ channels: 2, normalizeStd: [1, 1, 1] }, /normalizeStd to be 2 numbers/],
    [{ channels: 0 }, /channels/],
    [{ brightness: NaN }, /brightness/],
    [{ grayscaleProb: null }, /grayscaleProb/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => augmentationOptions(options as AugmentationInput), {
      name: "HatchlingError",
      message,
    });
  }
});
