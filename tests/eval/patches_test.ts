import assert from "node:assert/strict";
import type { Dataset } from "../../lib/data/dataset.ts";
import { encodePictures } from "../../lib/eval/encode.ts";
import { patchEncoder, poolPatches } from "../../lib/eval/patches.ts";
import type { Gpu, Tensor } from "../../lib/gpu.ts";
import { initialize, Parameters, VisionTransformer } from "../../lib/model.ts";
import { paint } from "../data/support.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";

type Grid = readonly [number, number];

/** Means over cells in f64; a patch belongs to a cell where they overlap at all. */
function pooledF64(tokens: ArrayLike<number>, n: number, dim: number, grid: Grid, cells: Grid) {
  const [rows, cols] = grid, [down, across] = cells;
  const overlap = (i: number, c: number, m: number) =>
    Array.from({ length: m }, (_, p) => p).filter((p) =>
      (p + 1) * c > i * m && p * c < (i + 1) * m
    );
  const out: number[] = [];
  for (let image = 0; image < n; image++) {
    for (let i = 0; i < down; i++) {
      for (let j = 0; j < across; j++) {
        const patches = overlap(i, down, rows).flatMap((r) =>
          overlap(j, across, cols).map((c) => image * (1 + rows * cols) + 1 + r * cols + c)
        );
        for (let d = 0; d < dim; d++) {
          out.push(patches.reduce((sum, at) => sum + tokens[at * dim + d], 0) / patches.length);
        }
      }
    }
  }
  return out;
}

const CASES: [n: number, grid: Grid, cells: Grid, dim: number][] = [
  [3, [4, 4], [4, 4], 5], // a copy without the class token
  [2, [14, 14], [4, 4], 24],
  [1, [5, 7], [4, 4], 3],
  [3, [7, 3], [4, 3], 1],
  [2, [6, 9], [1, 1], 6],
  [5, [1, 1], [1, 1], 8],
  [1, [2, 3], [4, 5], 4], // more cells than patches, as PyTorch allows
];
for (const [n, grid, cells, dim] of CASES) {
  gpuTest(`poolPatches() equals f64: ${n} × [${grid}] → [${cells}], D ${dim}`, async (gpu) => {
    const count = 1 + grid[0] * grid[1];
    const tokens = normals(n * count * dim, 7);
    const [pooled] = await values(
      gpu,
      () => [poolPatches(gpu, gpu.tensor(tokens, [n, count, dim]), grid, cells)],
    );
    assertClose(pooled, pooledF64(tokens, n, dim, grid, cells), 3e-7);
  });
}

gpuTest("poolPatches() equals f64 where one cell has 40,000 patches", async (gpu) => {
  const tokens = normals(1 + 200 * 200, 8).map((v) => 1000 + v);
  const [pooled] = await values(
    gpu,
    () => [poolPatches(gpu, gpu.tensor(tokens, [1, tokens.length, 1]), [200, 200], [1, 1])],
  );
  assertClose(pooled, pooledF64(tokens, 1, 1, [200, 200], [1, 1]), 1e-6);
});

gpuTest("poolPatches() refuses tokens that are no such grid, and cells below 1", (gpu) => {
  const tokens = gpu.tensor(new Float32Array(2 * 7 * 3), [2, 7, 3]);
  assert.throws(() => poolPatches(gpu, tokens, [2, 4], [1, 1]), /\[n, 1 \+ 2 · 4, D\] but found/);
  assert.throws(() => poolPatches(gpu, tokens.view([14, 3]), [2, 3], [1, 1]), /but found/);
  for (const cells of [[0, 1], [1, 1.5], [NaN, 1]] as const) {
    assert.throws(() => poolPatches(gpu, tokens, [2, 3], cells), /at least 1 × 1 whole cells/);
  }
  tokens.destroy();
});

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
      const grid: Grid = [height / 8, width / 8];
      const cells: Grid = [Math.min(4, grid[0]), Math.min(4, grid[1])];
      const trace = new Map<string, Tensor>();
      const [features, tokens] = await values(gpu, () => {
        vit.forward(gpu, params, [images], { trace });
        const features = encoder.encode(images);
        assert.deepEqual(features.shape, [3, cells[0] * cells[1] * 24]);
        return [features, trace.get("normed")!];
      });
      assertClose(features, pooledF64(tokens, 3, 24, grid, cells), 1e-6);
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
