import assert from "node:assert/strict";
import { DamagedPictureError } from "../../lib/data/dataset.ts";
import { type EncodeOptions, encodePictures } from "../../lib/eval/encode.ts";
import { pixelEncoder } from "../../lib/eval/encoder.ts";
import { paint } from "../data/support.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { COLOURS, dataset, GRADIENTS, meanColour, OPTIONS, plain, unit } from "./colours.ts";

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
