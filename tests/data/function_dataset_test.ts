import assert from "node:assert/strict";
import { DamagedPictureError, type Labels } from "../../lib/data/dataset.ts";
import { functionDataset, type FunctionDatasetOptions } from "../../lib/data/function_dataset.ts";
import { luma, planesOf } from "../../lib/data/image.ts";
import { Loader } from "../../lib/data/loader.ts";
import { resizeBicubic } from "../../lib/data/resample.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { paint, rgbAt } from "./support.ts";

type Made = Awaited<ReturnType<FunctionDatasetOptions["picture"]>>;

const sets = (picture: () => unknown, options: Partial<FunctionDatasetOptions> = {}) =>
  functionDataset({ name: "mine", length: 4, picture: picture as () => Made, ...options });

Deno.test("functionDataset() packs interleaved samples of any number of channels into planes", async () => {
  const [width, height] = [5, 3];
  for (let channels = 1; channels <= 9; channels++) {
    const data = Uint8Array.from({ length: width * height * channels }, (_, i) => 7 * i % 251);
    for (const given of [data, new Uint8ClampedArray(data)]) {
      const set = sets(() => ({ width, height, channels, data: given }), { channels });
      const picture = await set.picture(0);
      assert.deepEqual([picture.width, picture.height, picture.channels], [5, 3, channels]);
      assert.equal(picture.data.length, 4 * width * height * planesOf(channels));
      for (let p = 0; p < width * height; p++) {
        for (let plane = 0; plane < planesOf(channels); plane++) {
          const want = [0, 1, 2].map((k) => {
            const c = 3 * plane + k;
            return c < channels ? data[p * channels + c] : channels === 1 ? data[p] : 0;
          });
          const at = 4 * (plane * width * height + p);
          assert.deepEqual([...picture.data.subarray(at, at + 4)], [...want, 255], `C ${channels}`);
        }
      }
    }
  }
});

Deno.test("functionDataset() takes pictures in planes as they are", async () => {
  const picture = { ...paint(4, 2, (x, y, c) => 50 * x + 10 * y + c), channels: 3 };
  assert.equal((await sets(() => picture).picture(0)).data, picture.data);
  const { channels: _, ...rgba } = picture;
  assert.deepEqual((await sets(() => rgba).picture(0)).data, picture.data);
});

Deno.test("functionDataset() composites ImageData on white, or keeps its alpha as a fourth channel", async () => {
  const data = Uint8ClampedArray.of(10, 20, 30, 255, 200, 0, 0, 51);
  const image = { width: 2, height: 1, data };
  const colour = await sets(() => image).picture(0);
  const mixed = [200, 0, 0].map((c) => Math.round((c * 51 + 255 * 204) / 255));
  assert.deepEqual([...colour.data], [10, 20, 30, 255, ...mixed, 255]);
  const four = await sets(() => image, { channels: 4 }).picture(0);
  const planes = [10, 20, 30, 255, 200, 0, 0, 255, 255, 0, 0, 255, 51, 0, 0, 255];
  assert.deepEqual([...four.data], planes);
  const gray = await sets(() => image, { channels: 1 }).picture(0);
  assert.deepEqual(rgbAt(gray, 0, 0), Array(3).fill(luma(10, 20, 30)));
  assert.deepEqual([...data], [10, 20, 30, 255, 200, 0, 0, 51]); // not ours to change
});

Deno.test("functionDataset() turns gray and colour into each other, and nothing else", async () => {
  const gray = { width: 1, height: 1, channels: 1, data: Uint8Array.of(77) };
  assert.deepEqual(rgbAt(await sets(() => gray).picture(0), 0, 0), [77, 77, 77]);
  const rgb = { width: 1, height: 1, channels: 3, data: Uint8Array.of(255, 0, 9) };
  const [level] = rgbAt(await sets(() => rgb, { channels: 1 }).picture(0), 0, 0);
  assert.equal(level, luma(255, 0, 9));
  const five = { width: 1, height: 1, channels: 5, data: new Uint8Array(5) };
  await assert.rejects(
    async () => await sets(() => five).picture(2),
    /Picture 2 of mine: Expected a picture of 3 channels but found 5.*model\.in_chans to 5/,
  );
});

Deno.test("functionDataset() reduces pictures of more than maxPixels channel by channel", async () => {
  const [width, height, channels] = [30, 20, 5];
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => i * i % 256);
  const five = () => ({ width, height, channels, data });
  const small = sets(five, { channels, maxPixels: 150 });
  assert.equal(small.largestPixels, 150);
  const picture = await small.picture(0);
  assert.deepEqual([picture.width, picture.height], [15, 10]);
  assert.deepEqual(
    picture.data,
    resizeBicubic(await sets(five, { channels }).picture(0), 15, 10).data,
  );
  for (let c = 0; c < channels; c++) {
    // The channel alone gives the same levels.
    const alone = { width, height, channels: 1, data: data.filter((_, i) => i % channels === c) };
    const one = await sets(() => alone, { channels: 1, maxPixels: 150 }).picture(0);
    for (let p = 0; p < 150; p++) {
      const at = 4 * (150 * Math.floor(c / 3) + p) + c % 3;
      assert.equal(picture.data[at], one.data[4 * p]);
    }
  }
});

Deno.test("functionDataset() says what is wrong with a picture", async () => {
  const fails = (made: unknown, pattern: RegExp) =>
    assert.rejects(async () => await sets(() => made).picture(1), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, pattern);
      assert.match(error.message, /^Picture 1 of mine: /);
      return true;
    });
  const data = new Uint8Array(12);
  await fails(undefined, /width.*found undefined/);
  await fails({ width: 2, height: 1.5, channels: 3, data }, /height.*found 1\.5/);
  await fails({ width: 2, height: 0, channels: 3, data }, /height.*found 0/);
  await fails({ width: 2, height: 2, channels: 0, data }, /channels.*found 0/);
  await fails({ width: 2, height: 3, channels: 3, data }, /18 bytes for 2 × 3 .* of 3 .* found 12/);
  await fails({ width: 2, height: 2, data }, /16 bytes for 2 × 2 .* of 4 .* but found 12/);
  await fails(
    { width: 2, height: 2, channels: 3, data: new Float32Array(12) },
    /Float32Array.*0…255/,
  );
  await fails({ width: 2, height: 2, channels: 3, data: [...data] }, /type Array/);
  await assert.rejects(async () => await sets(() => ({})).picture(4), /index in \[0, 4\), found 4/);
  assert.throws(() => sets(() => ({})).id(-1), /found -1/);
});

Deno.test("functionDataset() says which option is out of its range", () => {
  for (
    const [options, pattern] of [
      [{ length: 0 }, /"length" of mine .* found 0/],
      [{ length: 2.5 }, /"length" of mine .* found 2\.5/],
      [{ channels: 0 }, /"channels" of mine .* found 0/],
      [{ maxPixels: Infinity }, /"maxPixels" of mine .* found Infinity/],
      [{ labels: { kind: ["a"] } }, /labels "kind" of mine for 4 pictures but found 1/],
      [
        { labels: { kind: { values: Int32Array.of(0, 1, 2, 0), names: ["a", "b"] } } },
        /labels "kind" of mine from 0 to 1.* picture 2 has 2/,
      ],
      [{ labels: { kind: [0, 1, 1, 0] as unknown as string[] } }, /labels "kind" of mine/],
      [{ labels: { kind: null as unknown as Labels } }, /labels "kind" of mine as a list/],
    ] as [Partial<FunctionDatasetOptions>, RegExp][]
  ) {
    assert.throws(() => sets(() => ({}), options), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, pattern);
      return true;
    });
  }
});

Deno.test("functionDataset() has ids and labels, and feeds a Loader past damaged pictures", async () => {
  const set = functionDataset({
    name: "mine",
    length: 6,
    channels: 2,
    maxPixels: 4,
    picture: (i) => {
      if (i === 3) throw new DamagedPictureError("the sensor was off");
      return { width: 2, height: 2, channels: 2, data: new Uint8Array(8).fill(i) };
    },
    id: (i) => `scan ${i}`,
    labels: {
      parity: ["even", "odd", "even", "odd", "even", "odd"],
      half: { values: Int32Array.of(0, 0, 0, 1, 1, 1), names: ["low", "high", "unused"] },
    },
  });
  assert.deepEqual([set.id(5), sets(() => ({})).id(2)], ["scan 5", "2"]);
  assert.deepEqual([...set.labels!.parity.values], [0, 1, 0, 1, 0, 1]);
  assert.deepEqual(set.labels!.half.names, ["low", "high", "unused"]);
  const loader = new Loader(set, { batchSize: 6, seed: 1, prefetch: 0 });
  const { indices, pixels } = await loader.batch(0);
  assert.deepEqual([...indices].sort(), [0, 1, 2, 4, 4, 5]);
  indices.forEach((i, b) => assert.equal(pixels[4 * b] >>> 0, (0xff000000 | i << 8 | i) >>> 0));
  await loader.batch(1);
  assert.deepEqual(set.skipped, [{ file: "scan 3", reason: "the sensor was off" }]); // named once
  loader.close();
});
