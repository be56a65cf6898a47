import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { attentionMask, lookAt } from "../../lib/eval/attention.ts";
import { toFloat32 } from "../../lib/io/safetensors.ts";
import { initialize, Parameters, VisionTransformer } from "../../lib/model.ts";
import { attention } from "../../lib/ops/attention.ts";
import { given, group, readCase, readManifest } from "../../scripts/common/golden/case.ts";
import { vitConfig } from "../../scripts/common/golden/config.ts";
import { pooledF64 } from "../support/features.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";

const FOLDER = fileURLToPath(new URL("../golden/golden_public", import.meta.url));

const NAMES = ["vit_p8_global", "vit_p4_local24", "vit_nonsquare", "vit_p4_local16_size"];

for (const name of [...NAMES, "family_dinov3"]) {
  gpuTest(`lookAt() gives PyTorch's attention and patch tokens of ${name}`, async (gpu) => {
    const row = (await readManifest(FOLDER)).find((row) => row.name === name)!;
    const { doc, tensors } = await readCase(FOLDER, row);
    const vit = new VisionTransformer(vitConfig(doc.config.vit as Record<string, unknown>));
    const params = new Parameters(gpu, vit.specs());
    params.load(group(tensors, "in.param."));
    const x = given(tensors, "x");
    const images = gpu.tensor(toFloat32(x), x.shape);
    const looked = await lookAt(gpu, vit, params, images);
    const { attention: ofAll } = await lookAt(gpu, vit, params, images, { of: "all" });
    for (const t of [images, params]) t.destroy();

    const all = tensors.get("out.attention")!, [n, heads, tokens] = all.shape;
    const { prefix } = vit; // of which registers are in no picture
    const ofClass = toFloat32(all).filter((_, i) => {
      const at = i % (tokens * tokens);
      return at < tokens && (at === 0 || at >= prefix);
    });
    assert.equal(ofClass.length, n * heads * (tokens - prefix + 1));
    assertClose(looked.attention, ofClass, 1e-5, "attention");
    const isSeen = (token: number) => token === 0 || token >= prefix;
    const seen = toFloat32(all).filter((_, i) =>
      isSeen(i % tokens) && isSeen(Math.floor(i / tokens) % tokens)
    );
    assertClose(ofAll, seen, 1e-5, "attention of all tokens");
    const normed = toFloat32(tensors.get("out.normed")!), { dim } = vit.config;
    const patches = normed.filter((_, i) => i % (tokens * dim) >= prefix * dim);
    assertClose(looked.patches, patches, 2e-5, "patches");
    assertClose(looked.features, toFloat32(tensors.get("out.y")!), 2e-5, "features");
    const { patchSize } = vit.config;
    assert.deepEqual(looked.grid, [x.shape[2] / patchSize, x.shape[3] / patchSize]);
  }, ["read"]);
}

gpuTest("lookAt() gives rows that sum to 1 at 60 × 58 patches, one image or two", async (gpu) => {
  const vit = new VisionTransformer({
    imageSize: 32,
    patchSize: 8,
    dim: 24,
    depth: 2,
    heads: 3,
    initStd: 0.3,
  });
  const params = new Parameters(gpu, vit.specs());
  params.load(initialize(vit.specs(), 3));
  const pixels = normals(2 * 3 * 480 * 464, 5);
  const images = gpu.tensor(pixels, [2, 3, 480, 464]);
  const { grid, attention, patches } = await lookAt(gpu, vit, params, images);
  assert.deepEqual(grid, [60, 58]);
  const tokens = 1 + 60 * 58;
  assert.equal(attention.length, 2 * 3 * tokens);
  let differ = 0;
  for (let row = 0; row < 6; row++) {
    const line = attention.subarray(row * tokens, (row + 1) * tokens);
    assertClose([line.reduce((a, b) => a + b, 0)], [1], 1e-5, `row ${row}`);
    differ += Number(Math.max(...line) > 3 / tokens);
  }
  assert.ok(differ > 0, "uniform attention would sum to 1 whatever the scores");
  const second = gpu.tensor(pixels.subarray(3 * 480 * 464), [1, 3, 480, 464]);
  const alone = await lookAt(gpu, vit, params, second);
  assertClose(alone.attention, attention.subarray(3 * tokens), 1e-5);
  assertClose(alone.patches, patches.subarray(60 * 58 * 24), 1e-5);
  for (const t of [images, second, params]) t.destroy();
});

gpuTest(
  "lookAt() of a model without a class token has means, patches and no attention",
  async (gpu) => {
    const shape = { imageSize: 16, patchSize: 8, dim: 12, depth: 1, heads: 3 };
    const vit = new VisionTransformer({ ...shape, classToken: false, registers: 2 });
    const params = new Parameters(gpu, vit.specs());
    params.load(initialize(vit.specs(), 0));
    const images = gpu.tensor(normals(2 * 3 * 16 * 24, 1), [2, 3, 16, 24]);
    const { features, patches, attention } = await lookAt(gpu, vit, params, images);
    assert.deepEqual([features.length, patches.length, attention.length], [24, 2 * 6 * 12, 0]);
    assertClose(features, pooledF64(patches, 12, [2, 3], "mean", 0), 1e-6);
    for (const t of [images, params]) t.destroy();
  },
);

gpuTest("attention() equals f64 over 3,601 tokens", async (gpu) => {
  const [tokens, dim] = [3601, 32];
  const values = normals(tokens * 3 * dim, 9);
  const made = gpu.scope(() => {
    const { y, map } = attention(gpu, gpu.tensor(values, [1, tokens, 3 * dim]), 1);
    return [y, map(1)];
  });
  const [y, map] = await gpu.read(made);
  for (const t of made) t.destroy();
  const at = (token: number, part: number, c: number) => values[(token * 3 + part) * dim + c];
  const scores = Float64Array.from({ length: tokens }, (_, key) => {
    let sum = 0;
    for (let c = 0; c < dim; c++) sum += at(0, 0, c) * at(key, 1, c);
    return Math.exp(sum / Math.sqrt(dim));
  });
  const total = scores.reduce((a, b) => a + b);
  assertClose(map, scores.map((score) => score / total), 1e-5, "map");
  const expected = Array.from(
    { length: dim },
    (_, c) => scores.reduce((sum, score, key) => sum + score / total * at(key, 2, c), 0),
  );
  assertClose(y.subarray(0, dim), expected, 1e-4, "y");
});

gpuTest(
  "lookAt() refuses sizes that patches do not fill, and weights that are not finite",
  async (gpu) => {
    const vit = new VisionTransformer({ imageSize: 16, patchSize: 8, dim: 12, depth: 1, heads: 3 });
    const params = new Parameters(gpu, vit.specs());
    const values = initialize(vit.specs(), 0);
    params.load(values);
    const odd = gpu.tensor(new Float32Array(3 * 16 * 20), [1, 3, 16, 20]);
    await assert.rejects(lookAt(gpu, vit, params, odd), /multiples of 8 but found/);
    params.load(new Map([...values, ["norm.bias", new Float32Array(12).fill(NaN)]]));
    const fits = gpu.tensor(new Float32Array(3 * 16 * 16), [1, 3, 16, 16]);
    await assert.rejects(lookAt(gpu, vit, params, fits), /finite features .* earlier checkpoint/);
    for (const t of [odd, fits, params]) t.destroy();
  },
);

Deno.test("attentionMask() keeps the fewest patches that hold the share", () => {
  const attention = normals(300, 4).map((x) => Math.exp(2 * x));
  const total = attention.reduce((a, b) => a + b);
  for (const mass of [0.01, 0.3, 0.6, 0.9, 0.999]) {
    const mask = attentionMask(attention, mass);
    const kept = [...attention].filter((_, i) => mask[i]);
    const least = Math.min(...kept), held = kept.reduce((a, b) => a + b, 0) / total;
    assert.ok(held >= mass - 1e-9, `${held} of ${mass}`);
    assert.ok(held - least / total < mass + 1e-6, "one fewer would do");
    assert.ok(
      attention.every((value, i) => mask[i] || value <= least),
      "a larger one was left out",
    );
  }
  assert.deepEqual([...attentionMask([0, 2, 0, 1], 1)], [0, 1, 0, 1]);
  assert.deepEqual([...attentionMask([1, 1, 1, 1], 0.5)], [0, 0, 1, 1]);
  assert.deepEqual([...attentionMask([0, 0], 0.5)], [0, 0]);
});

Deno.test("attentionMask() refuses shares and attention that cannot be", () => {
  for (const mass of [0, -1, 1.1, NaN]) {
    assert.throws(() => attentionMask([1], mass), /in \(0, 1\] but found/);
  }
  for (const bad of [NaN, Infinity, -1]) {
    assert.throws(() => attentionMask([1, bad], 0.5), /finite attention ≥ 0/);
  }
});
