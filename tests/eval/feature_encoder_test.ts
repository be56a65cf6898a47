import assert from "node:assert/strict";
import type { Dataset } from "../../lib/data/dataset.ts";
import { encodePictures } from "../../lib/eval/encode.ts";
import { featureEncoder, featureEncoders } from "../../lib/eval/feature_encoder.ts";
import { type Readout, readoutDim, readoutName } from "../../lib/eval/readout.ts";
import type { Gpu, Tensor } from "../../lib/gpu.ts";
import {
  FEATURES,
  initialize,
  Parameters,
  VisionTransformer,
  type ViTConfig,
} from "../../lib/model.ts";
import { paint } from "../data/support.ts";
import { pooledF64 } from "../support/features.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";

const DIM = 24;

function model(gpu: Gpu, imageSize: number, patchSize = 8, parts: Partial<ViTConfig> = {}) {
  const vit = new VisionTransformer({
    ...parts,
    imageSize,
    patchSize,
    dim: DIM,
    depth: 3,
    heads: 3,
    initStd: 0.3,
  });
  const params = new Parameters(gpu, vit.specs());
  const weights = initialize(vit.specs(), 5);
  // A norm that does something: else tokens that miss it look alike.
  for (const [i, name] of ["weight", "bias"].entries()) {
    weights.set(`${parts.fcNorm ? "fc_norm" : "norm"}.${name}`, normals(DIM, 9 + i));
  }
  params.load(weights);
  return { vit, params, weights };
}

/** Layer norm of each row, in f64. */
function normF64(x: ArrayLike<number>, weights: Map<string, Float32Array>): number[] {
  const name = weights.has("norm.weight") ? "norm" : "fc_norm";
  const [scale, shift] = [weights.get(`${name}.weight`)!, weights.get(`${name}.bias`)!];
  const out: number[] = [];
  for (let at = 0; at < x.length; at += DIM) {
    const row = Array.from({ length: DIM }, (_, d) => x[at + d]);
    const mean = row.reduce((sum, v) => sum + v, 0) / DIM;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / DIM;
    out.push(...row.map((v, d) => (v - mean) / Math.sqrt(variance + 1e-6) * scale[d] + shift[d]));
  }
  return out;
}

const READOUTS: Readout[] = [
  ...FEATURES.map((feature) => ({ feature })),
  { feature: "class", lastBlocks: 2 },
  { feature: "quad", lastBlocks: 3, combine: "concat" },
  { feature: "class+mean", lastBlocks: 3, combine: "mean" },
];

for (const [imageSize, height, width] of [[32, 32, 32], [40, 40, 40], [8, 8, 8], [32, 56, 24]]) {
  gpuTest(
    `featureEncoder() of a model for ${imageSize} pixels reads tokens of ${height} × ${width}`,
    async (gpu) => {
      const { vit, params, weights } = model(gpu, imageSize);
      const images = gpu.tensor(normals(3 * 3 * height * width, 6), [3, 3, height, width]);
      const grid = [height / 8, width / 8] as const;
      const [blocks, features] = [
        await values(gpu, () => {
          const trace = new Map<string, Tensor>();
          vit.forward(gpu, params, [images], { trace });
          return [0, 1, 2].map((i) => trace.get(`block.${i}`)!);
        }),
        await values(gpu, () =>
          READOUTS.map((readout) => {
            const encoder = featureEncoder(gpu, "any", vit, params, readout);
            assert.deepEqual([encoder.name, encoder.size], ["any", imageSize]);
            const features = encoder.encode(images);
            assert.deepEqual(features.shape, [3, readoutDim(readout, DIM)]);
            return features;
          })),
      ];
      const normed = blocks.map((tokens) => normF64(tokens, weights));
      READOUTS.forEach((readout, r) => {
        const { feature, lastBlocks = 1, combine } = readout;
        const each = normed.slice(-lastBlocks).map((x) => pooledF64(x, DIM, grid, feature));
        const size = each[0].length / 3;
        const row = (x: number[], i: number) => x.slice(i * size, (i + 1) * size);
        const expected = combine === "mean"
          ? each[0].map((_, i) => each.reduce((sum, x) => sum + x[i], 0) / lastBlocks)
          : [0, 1, 2].flatMap((i) => each.flatMap((x) => row(x, i)));
        assertClose(features[r], expected, 2e-6, readoutName(readout));
      });
      for (const t of [images, params]) t.destroy();
    },
  );
}

const PARTS: Record<string, Partial<ViTConfig>> = {
  "registers": { registers: 3, posEmbed: "rope", heads: 3 },
  "fc_norm": { fcNorm: true },
  "no class token": { classToken: false },
  "no class token, registers, fc_norm": { classToken: false, registers: 2, fcNorm: true },
};

for (const [name, parts] of Object.entries(PARTS)) {
  gpuTest(`featureEncoder() reads a model with ${name}`, async (gpu) => {
    const { vit, params, weights } = model(gpu, 16, 8, parts);
    const images = gpu.tensor(normals(2 * 3 * 16 * 24, 6), [2, 3, 16, 24]);
    const { prefix, hasClass } = vit, grid = [2, 3] as const;
    const readouts = READOUTS.filter(({ feature }) => hasClass || !feature.startsWith("class"));
    const [blocks, features] = [
      await values(gpu, () => {
        const trace = new Map<string, Tensor>();
        vit.forward(gpu, params, [images], { trace });
        return [0, 1, 2].map((i) => trace.get(`block.${i}`)!);
      }),
      await values(
        gpu,
        () =>
          readouts.map((readout) =>
            featureEncoder(gpu, "any", vit, params, readout).encode(images)
          ),
      ),
    ];
    const norm = (x: ArrayLike<number>) => normF64(x, weights);
    readouts.forEach((readout, r) => {
      const { feature, lastBlocks = 1, combine } = readout;
      // Of tokens, or of what is made of them.
      const each = blocks.slice(-lastBlocks).map((x) =>
        vit.featureNorm
          ? norm(pooledF64(x, DIM, grid, feature, prefix))
          : pooledF64(norm(x), DIM, grid, feature, prefix)
      );
      const size = each[0].length / 2;
      const expected = combine === "mean"
        ? each[0].map((_, i) => each.reduce((sum, x) => sum + x[i], 0) / lastBlocks)
        : [0, 1].flatMap((i) => each.flatMap((x) => x.slice(i * size, (i + 1) * size)));
      assertClose(features[r], expected, 3e-6, readoutName(readout));
    });
    if (!hasClass) {
      assert.throws(
        () => featureEncoder(gpu, "any", vit, params),
        /a feature of patches, as the model has no class token, but found class/,
      );
    }
    for (const t of [images, params]) t.destroy();
  });
}

gpuTest("featureEncoder() reads the class token by default, as forward() gives it", async (gpu) => {
  const { vit, params } = model(gpu, 32);
  const images = gpu.tensor(normals(2 * 3 * 32 * 32, 3), [2, 3, 32, 32]);
  const [features, expected] = await values(gpu, () => [
    featureEncoder(gpu, "class", vit, params).encode(images),
    vit.forward(gpu, params, [images]).y,
  ]);
  assert.deepEqual(features, expected);
  for (const t of [images, params]) t.destroy();
});

gpuTest("featureEncoder() refuses what the model does not have", (gpu) => {
  const { vit, params } = model(gpu, 32);
  const open = (readout: Readout) => featureEncoder(gpu, "any", vit, params, readout);
  for (const lastBlocks of [0, 4, 1.5, NaN]) {
    assert.throws(
      () => open({ feature: "mean", lastBlocks }),
      /lastBlocks from 1 to 3, the blocks of the model, but found /,
    );
  }
  assert.throws(
    () => open({ feature: "patch" as never }),
    /Expected a feature \(class, mean, quad/,
  );
  params.destroy();
});

Deno.test("a readout has a name", () => {
  assert.deepEqual(READOUTS.slice(4).map(readoutName), [
    "class+mean",
    "class, last 2 blocks",
    "quad, last 3 blocks",
    "class+mean, mean of last 3 blocks",
  ]);
});

gpuTest("featureEncoder() says how large a tensor gets per image", (gpu) => {
  for (const [imageSize, patchSize] of [[32, 8], [40, 8], [8, 8], [32, 2]]) {
    const { vit, params } = model(gpu, imageSize, patchSize);
    const encoder = featureEncoder(gpu, "grid", vit, params, { feature: "grid" });
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

/** A bright quarter in another corner each, on pictures of two shapes. */
const CORNERS = [0, 1, 2, 3].map((i) =>
  paint(32 + 8 * (i % 2), 32, (x, y) => {
    const [left, top] = [x < 16 + 4 * (i % 2), y < 16];
    return left === (i < 2) && top === (i % 2 === 0) ? 250 : 20;
  })
);
const DATA: Dataset = {
  name: "corners",
  length: 4,
  largestPixels: 40 * 32,
  picture: (i) => CORNERS[i],
  id: String,
  skipped: [],
};

gpuTest(
  "featureEncoders() run one forward pass for all, in batches of any size, and free what it makes",
  async (gpu) => {
    const { vit, params } = model(gpu, 32);
    let passes = 0;
    const { forward } = vit;
    vit.forward = (...args) => {
      passes++;
      return forward.apply(vit, args);
    };
    const named = READOUTS.map((readout) => ({ ...readout, name: readoutName(readout) }));
    const encode = (readouts: typeof named, batchSize: number) =>
      encodePictures(gpu, DATA, [0, 1, 2, 3], featureEncoders(gpu, vit, params, readouts), {
        batchSize,
        seed: 1,
        views: true,
        mean: [0.5, 0.5, 0.5],
        std: [0.25, 0.25, 0.25],
      });
    const before = gpu.memory.liveBytes;
    const together = await encode(named, 4);
    assert.equal(passes, 2, "one for the pictures, one for their views");
    assert.equal(gpu.memory.liveBytes, before);
    const again = await encode(named, 3);
    assert.equal(passes, 2 + 4);
    for (const [r, readout] of named.entries()) {
      const { whole, views, raw } = together[r], shape = [4, readoutDim(readout, DIM)];
      assert.deepEqual([whole.shape, views!.shape], [shape, shape]);
      const [alone] = await encode([readout], 4);
      assertClose(alone.raw.whole.data, raw.whole.data, 1e-6, readout.name);
      assertClose(alone.views!.data, views!.data, 1e-6, `${readout.name}, views`);
      assertClose(again[r].raw.whole.data, raw.whole.data, 1e-6, `${readout.name}, batches of 3`);
    }
    params.destroy();
  },
);
