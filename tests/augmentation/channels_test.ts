/** Pictures of any number of channels: every channel must come out as it would by itself. */
import assert from "node:assert/strict";
import {
  applyOps,
  augmentationOptions,
  type AugmentOp,
  sampleView,
} from "../../lib/augmentation.ts";
import { packView } from "../../lib/augmentation/parameters.ts";
import { packPictures, type Picture, planesOf } from "../../lib/data/image.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { Rng } from "../../lib/rng.ts";
import { gpuTest } from "../support/gpu.ts";

/** Noise whose channel c is a function of `seed` and c alone. */
function noise(width: number, height: number, channels: number, seed: number): Picture {
  const area = width * height;
  const data = new Uint8Array(4 * area * planesOf(channels));
  for (let c = 0; c < channels; c++) {
    const rng = new Rng(seed, c);
    for (let i = 0; i < area; i++) data[4 * (Math.floor(c / 3) * area + i) + c % 3] = rng.int(256);
  }
  return { width, height, channels, data };
}

/** Channel c alone, as a gray picture. */
function channel({ width, height, data }: Picture, c: number): Picture {
  const area = width * height;
  const gray = new Uint8Array(4 * area);
  for (let i = 0; i < area; i++) {
    gray.fill(data[4 * (Math.floor(c / 3) * area + i) + c % 3], 4 * i, 4 * i + 3);
  }
  return { width, height, channels: 1, data: gray };
}

async function render(gpu: Gpu, pictures: Picture[], ops: AugmentOp[][]): Promise<Float32Array> {
  const packed = packPictures(pictures);
  const inputs = [gpu.tensor(packed.pixels), gpu.tensor(packed.table, [pictures.length, 4])];
  const list = ops.map((ops, i) => ({ ...pictures[i % pictures.length], ops }));
  const out = applyOps(gpu, inputs[0], inputs[1], list, pictures[0].channels);
  const values = await out.read();
  for (const tensor of [...inputs, out]) tensor.destroy();
  return values;
}

for (const channels of [1, 2, 4, 7]) {
  gpuTest(`applyOps() treats each of ${channels} channels by itself`, async (gpu) => {
    const pictures = [noise(33, 21, channels, 1), noise(10, 40, channels, 2)];
    const mean = Array.from({ length: channels }, (_, c) => 0.1 * c);
    const std = Array.from({ length: channels }, (_, c) => 0.2 + 0.1 * c);
    const ops = [0, 1, 2, 3].map((i): AugmentOp[] => [
      { op: "resized_crop", left: 1, top: i, width: 9, height: 15, size: 13 },
      ...i % 2 ? [{ op: "hflip" } as const] : [],
      { op: "brightness", factor: 0.7 + 0.2 * i },
      ...i > 1 ? [{ op: "gaussian_blur", sigma: 1.3 } as const] : [],
      ...i ? [{ op: "solarize", threshold: 100 } as const] : [],
    ]);
    const normal = (mean: number[], std: number[]) =>
      ops.map((list): AugmentOp[] => [...list, { op: "normalize", mean, std }]);
    const found = await render(gpu, pictures, normal(mean, std));
    assert.equal(found.length, 4 * channels * 169);
    for (let c = 0; c < channels; c++) {
      const alone = await render(
        gpu,
        pictures.map((p) => channel(p, c)),
        normal([mean[c]], [std[c]]),
      );
      for (let n = 0; n < 4; n++) {
        const at = (n * channels + c) * 169;
        assert.deepEqual(found.slice(at, at + 169), alone.slice(169 * n, 169 * (n + 1)));
      }
    }
  });
}

gpuTest("applyOps() gives gray pictures the contrast that PIL gives them", async (gpu) => {
  const gray = channel(noise(20, 20, 1, 3), 0);
  const ops: AugmentOp[] = [{ op: "contrast", factor: 1.4 }];
  const found = await render(gpu, [gray], [ops]);
  const asColour = await render(gpu, [{ ...gray, channels: 3 }], [ops]);
  assert.deepEqual(found, asColour.slice(0, 400));
});

Deno.test("packView() refuses operations that mean nothing for the channels", () => {
  for (const [channels, op] of [[2, "contrast"], [1, "saturation"], [4, "hue"]] as const) {
    assert.throws(
      () =>
        packView(
          { width: 1, height: 1, ops: [{ op, factor: 0.5 }] },
          new Float32Array(128),
          0,
          channels,
        ),
      {
        name: "HatchlingError",
        message: new RegExp(`${op} means nothing for pictures of ${channels}`),
      },
    );
  }
});

Deno.test("sampleView() leaves out what has no meaning for the channels, and no more", () => {
  const at = { seed: 1, epoch: 0, view: 1, width: 50, height: 40 };
  const input = { colorJitterProb: 1, grayscaleProb: 1 };
  for (const [channels, kept] of [[1, ["brightness", "contrast"]], [4, ["brightness"]]] as const) {
    const options = augmentationOptions({ ...input, channels });
    for (let image = 0; image < 40; image++) {
      const colours = sampleView(augmentationOptions(input), { ...at, image }).ops;
      const found = sampleView(options, { ...at, image }).ops;
      const never = ["brightness", "contrast", "saturation", "hue", "grayscale"]
        .filter((op) => !kept.includes(op as never));
      assert.deepEqual(
        found.slice(0, -1),
        colours.slice(0, -1).filter(({ op }) => !never.includes(op)),
      );
    }
  }
});
