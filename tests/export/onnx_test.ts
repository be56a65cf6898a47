/** ONNX files of a model, run by onnxruntime, beside the model's own features. */
import assert from "node:assert/strict";
import { exportModel, type ExportOptions } from "../../lib/export/files.ts";
import { decodeModel, encodeModel, type Model } from "../../lib/export/onnx/schema.ts";
import { gpuTest } from "../support/gpu.ts";
import { errorBetween, runOnnx } from "../support/onnx.ts";
import { prefixTokens, vitShape } from "../../lib/export/shape.ts";
import { Parameters } from "../../lib/model.ts";
import { FAMILIES, features, loaded, loadedResnet, pixels, TOY } from "./support.ts";

/** Largest errors over the largest value: docs/guides/export.md names them. */
const MOST = { f32: 1e-5, f16: 1e-2 } as const;

/** Families that are tried in f16 too: one of each kind of positions. */
const HALVED = { dino: true, dinov3: true };

const OPTIONS: ExportOptions = {
  to: "onnx",
  names: "timm",
  dtype: "f32",
  part: "all",
  attention: true,
};

for (const [family, text] of Object.entries(FAMILIES)) {
  gpuTest(`ONNX gives ${family}'s own features`, async (gpu) => {
    const toy = loaded(text), { dim, heads, posEmbed, patchSize } = vitShape(toy.model.backbone);
    // Where positions are rotary, pictures of any size: wide ones, too.
    const sizes = posEmbed === "rope" ? [[1, 32, 32], [3, 16, 40]] : [[1, 32, 32], [3, 32, 32]];
    const before = prefixTokens(vitShape(toy.model.backbone));
    for (const dtype of family in HALVED ? ["f32", "f16"] as const : ["f32"] as const) {
      const { files } = exportModel(toy, { ...OPTIONS, dtype });
      const suffix = dtype === "f16" ? "_fp16" : "";
      for (const [batch, height, width] of sizes) {
        const dims = [batch, 3, height, width], data = pixels(batch * 3 * height * width);
        const ours = await features(gpu, toy, data, dims);
        const backbone = await runOnnx(files.get(`onnx/model${suffix}.onnx`)!, {
          pixel_values: { data, dims },
        });
        const tokens = before + height * width / patchSize ** 2;
        const shapes = Object.entries(backbone).map(([name, { dims }]) => [name, dims]);
        assert.deepEqual(shapes, [
          ["last_hidden_state", [batch, tokens, dim]],
          ["pooler_output", [batch, dim]],
          ["attention", [batch, heads, tokens, tokens]],
        ]);
        const head = await runOnnx(files.get(`onnx/head${suffix}.onnx`)!, {
          features: { data: ours.pooled, dims: [batch, dim] },
        });
        assert.deepEqual(head.bottleneck.dims, [batch, 8]);
        const errors = {
          tokens: errorBetween(backbone.last_hidden_state.data, ours.tokens),
          pooled: errorBetween(backbone.pooler_output.data, ours.pooled),
          attention: errorBetween(backbone.attention.data, ours.attention),
          logits: errorBetween(head.logits.data, ours.logits),
        };
        for (const [name, error] of Object.entries(errors)) {
          assert.ok(error < MOST[dtype], `${name} of ${dims} in ${dtype}: ${error}`);
        }
      }
    }
  }, ["read", "env"]);
}

for (const layers of [18, 50] as const) {
  gpuTest(`ONNX gives a ResNet-${layers}'s own features, at any size`, async (gpu) => {
    const toy = loadedResnet(layers, 4), { backbone } = toy.model;
    const { files } = exportModel(toy, { ...OPTIONS, attention: false, part: "backbone" });
    const params = new Parameters(gpu, toy.model.specs());
    params.load(toy.weights);
    for (const [batch, height, width] of [[1, 32, 32], [2, 40, 70]]) {
      const dims = [batch, 3, height, width], data = pixels(batch * 3 * height * width);
      const images = gpu.tensor(data, dims);
      const made = gpu.scope(() => {
        const { blocks, classes } = backbone.lastTokens(gpu, params, images, 1);
        return { tokens: blocks[0], classes };
      });
      const [tokens, classes] = await gpu.read([made.tokens, made.classes]);
      for (const tensor of [made.tokens, made.classes, images]) tensor.destroy();
      const { last_hidden_state: map, pooler_output: pooled } = await runOnnx(
        files.get("onnx/model.onnx")!,
        { pixel_values: { data, dims } },
      );
      const [, dim, rows, cols] = map.dims, places = rows * cols;
      assert.deepEqual(pooled.dims, [batch, backbone.dim]);
      assert.deepEqual([dim, rows, cols], [
        backbone.dim,
        ...[height, width].map((n) => Math.ceil(n / 32)),
      ]);
      // Ours: the mean first, then the places, channels last.
      const ours = Float32Array.from(map.data, (_, i) => {
        const [b, c, p] = [Math.floor(i / dim / places), Math.floor(i / places) % dim, i % places];
        return tokens[(b * (1 + places) + 1 + p) * dim + c];
      });
      assert.ok(errorBetween(map.data, ours) < MOST.f32, `map: ${errorBetween(map.data, ours)}`);
      assert.ok(errorBetween(pooled.data, classes) < MOST.f32);
    }
    params.destroy();
    assert.throws(
      () => exportModel(toy, { ...OPTIONS, part: "backbone" }),
      new RegExp(`vision transformer with --attention but found a ResNet-${layers}: leave it out`),
    );
  }, ["read", "env"]);
}

Deno.test("an ONNX file says what it is, and has only operators of opset 17", () => {
  const { files } = exportModel(loaded(TOY), { ...OPTIONS, license: "CC0" });
  const model = decodeModel(files.get("onnx/model.onnx")!);
  assert.equal(model.producerName, "Hatchling");
  assert.deepEqual(model.opsetImport.map(({ version }) => version), [17n]);
  const said = new Map(model.metadataProps.map(({ key, value }) => [key, value]));
  assert.equal(said.get("image_size"), "32");
  assert.equal(said.get("mean"), "[0.485,0.456,0.406]");
  assert.equal(said.get("std"), "[0.229,0.224,0.225]");
  assert.equal(said.get("feature"), "class");
  assert.equal(said.get("license"), "CC0");
  assert.match(said.get("description")!, /^backbone of a network trained with Hatchling/);
  const operators = new Set(model.graph.node.map(({ opType }) => opType));
  assert.deepEqual(
    [...operators].sort().join(" "),
    "Add Concat Conv Div Erf Expand Identity LayerNormalization MatMul Mul Reshape Shape Slice Softmax " +
      "Split Squeeze Transpose",
  );
  const [pixelsIn] = model.graph.input;
  assert.deepEqual(
    pixelsIn.type.tensorType.shape.dim.map(({ dimParam, dimValue }) => dimParam || dimValue),
    ["batch", 3n, 32n, 32n],
  );
});

Deno.test("config.json and preprocessor_config.json are what transformers.js reads", () => {
  const { files } = exportModel(loaded(TOY), { ...OPTIONS, dtype: "f16", part: "backbone" });
  assert.deepEqual([...files.keys()], [
    "onnx/model_fp16.onnx",
    "config.json",
    "preprocessor_config.json",
  ]);
  const read = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name)!));
  const config = read("config.json");
  assert.equal(config.model_type, "vit");
  assert.deepEqual(config["transformers.js_config"], { dtype: "fp16" });
  const { size, crop_size, image_mean } = read("preprocessor_config.json");
  assert.deepEqual({ size, crop_size }, {
    size: { shortest_edge: 32 },
    crop_size: { height: 32, width: 32 },
  });
  assert.deepEqual(image_mean, [0.485, 0.456, 0.406]);
});

Deno.test("more than 2 GiB in one file, and numbers too large for f16, are refused", () => {
  const rawData = { length: 2 ** 31 } as Uint8Array;
  const huge = { graph: { initializer: [{ rawData }] } } as unknown as Model;
  assert.throws(() => encodeModel(huge), /at most 2 GiB .* found 2\.0 GiB: take --dtype f16/);
  const toy = loaded(TOY);
  toy.weights.get("norm.weight")![3] = 70000;
  assert.throws(
    () => exportModel(toy, { ...OPTIONS, dtype: "f16" }),
    /up to 65504 for f16 but found 70000 in norm\.weight/,
  );
});
