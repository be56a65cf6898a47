import assert from "node:assert/strict";
import type { Dataset } from "../../lib/data/dataset.ts";
import { encodePictures } from "../../lib/eval/encode.ts";
import { patchEncoder } from "../../lib/eval/patches.ts";
import type { Gpu, Tensor } from "../../lib/gpu.ts";
import { initialize, Parameters, VisionTransformer } from "../../lib/model.ts";
import { paint } from "../data/support.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";
import { pooledF64 } from "../support/features.ts";

function model(gpu: Gpu, imageSize: number, patchSize = 8) {
  const vit = new VisionTransformer({
    imageSize,
    patchSize,
    dim: 24,
    depth: 2,
    heads: 3,
    initStd: 0.3,
  });
  const params = new Parameters(gpu, vit.specs());
  params.load(initialize(vit.specs(), 5));
  return { vit, params, encoder: patchEncoder(gpu, "patches", vit, params) };
}

for (const [imageSize, height, width] of [[32, 32, 32], [40, 40, 40], [8, 8, 8], [32, 56, 24]]) {
  gpuTest(
    `patchEncoder() of a model for ${imageSize} pixels gives pooled tokens of ${height} × ${width}`,
    async (gpu) => {
      const { vit, params, encoder } = model(gpu, imageSize);
      assert.deepEqual([encoder.name, encoder.size], ["patches", imageSize]);
      const images = gpu.tensor(normals(3 * 3 * height * width, 6), [3, 3, height, width]);
      const grid = [height / 8, width / 8] as const;
      const trace = new Map<string, Tensor>();
      const [features, tokens] = await values(gpu, () => {
        vit.forward(gpu, params, [images], { trace });
        const features = encoder.encode(images);
        assert.deepEqual(features.shape, [3, 16 * 24]);
        return [features, trace.get("normed")!];
      });
      assertClose(features, pooledF64(tokens, 24, grid, "grid"), 1e-6);
      for (const t of [images, params]) t.destroy();
    },
  );
}

gpuTest("patchEncoder() says how large a tensor gets per image", (gpu) => {
  for (const [imageSize, patchSize] of [[32, 8], [40, 8], [8, 8], [32, 2]]) {
    const { params, encoder } = model(gpu, imageSize, patchSize);
    const images = gpu.persistent([3, 3, imageSize, imageSize]);
    let largest = 0;
    const { empty } = gpu;
    gpu.empty = (shape, label) => {
      // Sums in parts, where an adapter makes them, are of small products.
      const bytes = label === "matmul.partial" ? 0 : 4 * shape.reduce((size, n) => size * n);
      largest = Math.max(largest, bytes);
      return empty.call(gpu, shape, label);
    };
    try {
      gpu.scope(() => encoder.encode(images)).destroy();
    } finally {
      gpu.empty = empty;
    }
    assert.equal(largest, 3 * encoder.imageBytes, `${imageSize} pixels in patches of ${patchSize}`);
    for (const t of [images, params]) t.destroy();
  }
});

gpuTest(
  "patchEncoder() takes pictures in batches of any size, and frees what it makes",
  async (gpu) => {
    const { params, encoder } = model(gpu, 32);
    // A bright quarter in another corner each, on pictures of two shapes.
    const corner = (i: number) =>
      paint(32 + 8 * (i % 2), 32, (x, y) => {
        const [left, top] = [x < 16 + 4 * (i % 2), y < 16];
        return left === (i < 2) && top === (i % 2 === 0) ? 250 : 20;
      });
    const pictures = [0, 1, 2, 3].map(corner);
    const data: Dataset = {
      name: "corners",
      length: 4,
      largestPixels: 40 * 32,
      picture: (i) => pictures[i],
      id: String,
      skipped: [],
    };
    const before = gpu.memory.liveBytes;
    const encode = (batchSize: number) =>
      encodePictures(gpu, data, [0, 1, 2, 3], [encoder], {
        batchSize,
        seed: 1,
        views: true,
        mean: [0.5, 0.5, 0.5],
        std: [0.25, 0.25, 0.25],
      });
    const [{ whole, views, raw }] = await encode(4);
    assert.equal(gpu.memory.liveBytes, before);
    assert.deepEqual([whole.shape, views!.shape], [[4, 16 * 24], [4, 16 * 24]]);
    const [{ raw: again }] = await encode(3);
    assertClose(again.whole.data, raw.whole.data, 1e-6, "another batch size");
    params.destroy();
  },
);
