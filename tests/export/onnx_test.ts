/** ONNX files of a model, run by onnxruntime, beside the model's own features. */
import assert from "node:assert/strict";
import { exportModel, type ExportOptions } from "../../lib/export/files.ts";
import { decodeModel, encodeModel, type Model } from "../../lib/export/onnx/schema.ts";
import { gpuTest } from "../support/gpu.ts";
import { errorBetween, runOnnx } from "../support/onnx.ts";
import { features, loaded, pixels, TOY } from "./support.ts";

/** Largest errors over the largest value: docs/guides/export.md names them. */
const MOST = { f32: 1e-5, f16: 1e-2 } as const;

const OPTIONS: ExportOptions = {
  to: "onnx",
  names: "timm",
  dtype: "f32",
  part: "all",
  attention: true,
};

for (const dtype of ["f32", "f16"] as const) {
  gpuTest(`backbone and head as ONNX in ${dtype} give the model's own features`, async (gpu) => {
    const toy = loaded(TOY);
    const { files } = exportModel(toy, { ...OPTIONS, dtype });
    const suffix = dtype === "f16" ? "_fp16" : "";
    for (const batch of [1, 3]) {
      const dims = [batch, 3, 32, 32], data = pixels(batch * 3 * 32 * 32);
      const ours = await features(gpu, toy, data, dims);
      const backbone = await runOnnx(files.get(`onnx/model${suffix}.onnx`)!, {
        pixel_values: { data, dims },
      });
      assert.deepEqual(
        Object.entries(backbone).map(([name, { dims }]) => [name, dims]),
        [
          ["last_hidden_state", [batch, 17, 24]],
          ["pooler_output", [batch, 24]],
          ["attention", [batch, 3, 17, 17]],
        ],
      );
      const { last_hidden_state: tokens, pooler_output: pooled, attention } = backbone;
      const head = await runOnnx(files.get(`onnx/head${suffix}.onnx`)!, {
        features: { data: ours.pooled, dims: [batch, 24] },
      });
      assert.deepEqual(head.bottleneck.dims, [batch, 8]);
      const errors = {
        tokens: errorBetween(tokens.data, ours.tokens),
        pooled: errorBetween(pooled.data, ours.pooled),
        attention: errorBetween(attention.data, ours.attention),
        logits: errorBetween(head.logits.data, ours.logits),
      };
      for (const [name, error] of Object.entries(errors)) {
        assert.ok(error < MOST[dtype], `${name} of ${batch}: ${error}`);
      }
    }
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
