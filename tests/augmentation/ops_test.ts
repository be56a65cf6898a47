/** Every operation on the GPU against exact arithmetic on the CPU. */
import assert from "node:assert/strict";
import { applyOps, type AugmentOp } from "../../lib/augmentation.ts";
import { packView, VIEW_FLOATS } from "../../lib/augmentation/parameters.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { Rng } from "../../lib/rng.ts";
import { gpuTest } from "../support/gpu.ts";
import { exact, type Levels } from "../../lib/prove/levels.ts";

type Maker = (rng: Rng, channel: number) => number;

function picture(height: number, width: number, make: Maker): Levels {
  const rng = new Rng(5, height, width);
  return {
    height,
    width,
    channels: 3,
    data: Uint8Array.from({ length: height * width * 3 }, (_, i) => make(rng, i % 3)),
  };
}

const noise: Maker = (rng) => rng.int(256);
const dull: Maker = (rng, c) => 90 + 20 * c + rng.int(12);
const hard: Maker = (rng) => 255 * rng.int(2); // pure colours, black and white
const SIZES = [[1, 1], [3, 7], [97, 81]];

/** Levels `[H, W, 3]` after the operations. */
async function onGpu(gpu: Gpu, im: Levels, ops: AugmentOp[]): Promise<number[]> {
  const { height, width, data } = im;
  const packed = Uint32Array.from(
    { length: height * width },
    (_, i) => data[3 * i] | data[3 * i + 1] << 8 | data[3 * i + 2] << 16,
  );
  const pixels = gpu.tensor(packed);
  const table = gpu.tensor(Uint32Array.of(0, width, height, 0), [1, 4]);
  const out = applyOps(gpu, pixels, table, [{ width, height, ops }]);
  const planes = await out.read();
  for (const tensor of [pixels, table, out]) tensor.destroy();
  const area = planes.length / 3;
  return Array.from(planes, (_, i) => planes[(i % 3) * area + Math.floor(i / 3)]);
}

/** Largest and mean difference, after checking that all are whole levels. */
async function difference(
  gpu: Gpu,
  im: Levels,
  ops: AugmentOp[],
): Promise<{ max: number; mean: number }> {
  const found = await onGpu(gpu, im, ops);
  const expected = exact(im, ops).data;
  assert.equal(found.length, expected.length);
  assert.ok(found.every((v) => Number.isInteger(v) && v >= 0 && v <= 255), "whole levels");
  const errors = found.map((v, i) => Math.abs(v - expected[i]));
  return {
    max: errors.reduce((a, e) => Math.max(a, e), 0),
    mean: errors.reduce((a, e) => a + e, 0) / errors.length,
  };
}

/** Asserts the limits, in levels, at every size and kind of picture. */
function opTest(name: string, ops: AugmentOp[], max: number, mean: number): void {
  gpuTest(`applyOps() follows PIL when given ${name}`, async (gpu) => {
    for (const [height, width] of SIZES) {
      for (const make of [noise, dull, hard]) {
        const error = await difference(gpu, picture(height, width, make), ops);
        assert.ok(
          error.max <= max && error.mean <= mean,
          `${height}×${width} ${JSON.stringify(error)}, allowed ${max} and ${mean}`,
        );
      }
    }
  });
}

opTest("no operation", [], 0, 0);
opTest("hflip", [{ op: "hflip" }], 0, 0);
opTest("two flips", [{ op: "hflip" }, { op: "hflip" }], 0, 0);
opTest("grayscale", [{ op: "grayscale" }], 0, 0);
for (const threshold of [0, 128, 256]) {
  opTest(`solarize ${threshold}`, [{ op: "solarize", threshold }], 0, 0);
}
for (const factor of [0, 0.6, 1, 1.37, 3]) {
  opTest(`brightness ${factor}`, [{ op: "brightness", factor }], 0, 0);
  opTest(`contrast ${factor}`, [{ op: "contrast", factor }], 1, 0.02);
  opTest(`saturation ${factor}`, [{ op: "saturation", factor }], 1, 0.02);
}
for (const factor of [-0.5, -0.07, 0, 0.1, 0.5]) {
  opTest(`hue ${factor}`, [{ op: "hue", factor }], 0, 0);
}
for (const sigma of [0, 0.1, 0.7, 1.1, 2, 6.5]) {
  opTest(`gaussian_blur ${sigma}`, [{ op: "gaussian_blur", sigma }], 0, 0);
}
opTest(
  "blur with everything before and after",
  [
    { op: "saturation", factor: 1.2 },
    { op: "contrast", factor: 0.7 },
    { op: "brightness", factor: 1.2 },
    { op: "grayscale" },
    { op: "hflip" },
    { op: "gaussian_blur", sigma: 1.5 },
    { op: "solarize", threshold: 128 },
  ],
  2,
  0.1,
);

gpuTest("applyOps() follows PIL when cropping and resizing", async (gpu) => {
  for (const make of [noise, dull, hard]) {
    const im = picture(97, 81, make);
    for (
      const [top, left, height, width, size] of [
        [0, 0, 97, 81, 1],
        [0, 0, 97, 81, 7],
        [96, 80, 1, 1, 5],
        [10, 20, 1, 40, 16],
        [3, 5, 60, 2, 33],
        [40, 30, 9, 11, 32],
        [11, 4, 24, 24, 24],
        [0, 0, 97, 81, 200],
      ]
    ) {
      const ops: AugmentOp[] = [{ op: "resized_crop", top, left, height, width, size }];
      for (const flipped of [ops, [...ops, { op: "hflip" as const }]]) {
        const error = await difference(gpu, im, flipped);
        assert.ok(error.max <= 1 && error.mean <= 0.01, JSON.stringify({ flipped, error }));
      }
    }
  }
});

gpuTest("applyOps() stays right when shrinking a large picture", async (gpu) => {
  for (const [height, width, size] of [[300, 520, 3], [512, 512, 1], [600, 800, 1]]) {
    const im = picture(height, width, (rng, c) => rng.int(200) + 20 * c);
    const crop = { op: "resized_crop" as const, top: 1, left: 2, height: height - 1, size };
    const error = await difference(gpu, im, [{ ...crop, width: width - 2 }]);
    assert.ok(error.max <= 1 && error.mean <= 0.1, JSON.stringify({ height, width, error }));
  }
});

gpuTest("applyOps() stays right up to the strongest shrinking that it takes", async (gpu) => {
  const shrink = (side: number): AugmentOp[] => [
    { op: "resized_crop", left: 0, top: 0, width: side, height: side, size: 16 },
  ];
  const side = 1720, data = new Uint8Array(3 * side ** 2);
  for (let i = 0; i < data.length; i++) {
    data[i] = i % 3 ? Math.imul(i, i) >>> 7 : 255 * i / data.length;
  }
  const error = await difference(
    gpu,
    { width: side, height: side, channels: 3, data },
    shrink(side),
  );
  assert.ok(error.max <= 1, `${error.max}`);
  for (const side of [1760, 2800]) {
    const view = { width: side, height: side, ops: shrink(side) };
    assert.throws(() => packView(view, new Float32Array(VIEW_FLOATS)), /shrinks less than/);
  }
});

gpuTest("applyOps() keeps black black and white white when nothing inverts them", async (gpu) => {
  const ops: AugmentOp[] = [
    { op: "resized_crop", top: 2, left: 1, height: 30, width: 17, size: 13 },
    { op: "contrast", factor: 1.4 },
    { op: "hue", factor: 0.5 },
    { op: "saturation", factor: 0.8 },
    { op: "grayscale" },
    { op: "gaussian_blur", sigma: 2 },
  ];
  for (const level of [0, 255]) {
    const found = await onGpu(gpu, picture(40, 30, () => level), ops);
    assert.ok(found.every((v) => v === level), `${level}`);
  }
});

gpuTest("applyOps() normalises when the list ends so", async (gpu) => {
  const im = picture(3, 7, noise);
  const [mean, std] = [[0.1, 0.2, 0.3], [0.5, 1, 2]] as [number, number, number][];
  const found = await onGpu(gpu, im, [{ op: "normalize", mean, std }]);
  found.forEach((v, i) => {
    const expected = (im.data[i] / 255 - mean[i % 3]) / std[i % 3];
    assert.ok(Math.abs(v - expected) <= 1e-6, `${v} against ${expected}`);
  });
});

gpuTest("applyOps() refuses a list when the kernels cannot follow it", (gpu) => {
  const pixels = gpu.tensor(new Uint32Array(12));
  const table = gpu.tensor(Uint32Array.of(0, 4, 3, 0), [1, 4]);
  const crop = { op: "resized_crop" as const, top: 0, left: 0, height: 2, width: 2, size: 2 };
  const refused: [AugmentOp[], RegExp][] = [
    [[{ op: "grayscale" }, crop], /resized_crop cannot come after/],
    [[{ op: "hflip" }, crop], /resized_crop cannot come after/],
    [[{ op: "gaussian_blur", sigma: 1 }, { op: "gaussian_blur", sigma: 1 }], /cannot come after/],
    [[{ op: "contrast", factor: 1 }, { op: "contrast", factor: 1 }], /only once/],
    [Array.from({ length: 6 }, () => ({ op: "grayscale" as const })), /at most 5/],
    [[{ op: "hue", factor: 0.6 }], /\[-0\.5, 0\.5\]/],
    [[{ op: "brightness", factor: NaN }], /brightness must be/],
    [[{ ...crop, left: 3 }], /does not lie within 4 × 3/],
    [[{ op: "posterize" } as unknown as AugmentOp], /posterize is not an operation/],
  ];
  for (const [ops, message] of refused) {
    assert.throws(
      () => applyOps(gpu, pixels, table, [{ width: 4, height: 3, ops }]),
      { name: "HatchlingError", message },
    );
  }
  assert.throws(
    () =>
      applyOps(gpu, pixels, table, [
        { width: 4, height: 3, ops: [] },
        { width: 4, height: 3, ops: [crop] },
      ]),
    { name: "HatchlingError", message: /one size/ },
  );
  assert.throws(
    () =>
      applyOps(gpu, pixels, table, [{
        width: 1000,
        height: 1000,
        ops: [{ ...crop, width: 1000, height: 1000 }],
      }]),
    { name: "HatchlingError", message: /data\.max_pixels/ },
  );
  pixels.destroy();
  table.destroy();
});
