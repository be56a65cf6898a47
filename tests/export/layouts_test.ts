/** Names, shapes and settings of every layout, beside those of the models that are to load them. */
import assert from "node:assert/strict";
import { facebookLayout } from "../../lib/export/layouts/facebook.ts";
import { huggingFaceLayout } from "../../lib/export/layouts/hugging_face.ts";
import type { Layout, Tensors } from "../../lib/export/layouts/layout.ts";
import { resnetLayout } from "../../lib/export/layouts/resnet.ts";
import { timmLayout } from "../../lib/export/layouts/timm.ts";
import type { VitShape } from "../../lib/export/shape.ts";
import { exportModel, type ExportOptions } from "../../lib/export/files.ts";
import { parseSafetensors } from "../../lib/io.ts";
import { toFloat32 } from "../../lib/io/dtype.ts";
import { ResNet, VisionTransformer } from "../../lib/model.ts";
import { loaded, loadedResnet, TOY } from "./support.ts";

const D = 24, GRID = 16, P = 8;

/** The shape of a model with one block, and its parameters, each number another one. */
function made(more: Partial<VitShape>): [Tensors, VitShape] {
  const plain = new VisionTransformer({ imageSize: 32, patchSize: P, dim: D, depth: 1, heads: 3 });
  const shape = { ...plain.config, ...more };
  const hidden = shape.mlpHiddenDim;
  const linear = (name: string, out: number, inputs: number, bias = true) =>
    [
      [`blocks.0.${name}.weight`, [out, inputs]],
      ...(bias ? [[`blocks.0.${name}.bias`, [out]]] : []),
    ] as [string, number[]][];
  const norm = (name: string): [string, number[]][] => [
    [`${name}.weight`, [D]],
    [`${name}.bias`, [D]],
  ];
  const entries: [string, number[]][] = [
    ...(shape.classToken ? [["cls_token", [1, 1, D]]] as [string, number[]][] : []),
    ...(shape.registers ? [["reg_token", [1, shape.registers, D]]] as [string, number[]][] : []),
    ...(shape.posEmbed === "learned"
      ? [["pos_embed", [1, (shape.classToken ? 1 : 0) + GRID, D]]] as [string, number[]][]
      : []),
    ["patch_embed.proj.weight", [D, 3, P, P]],
    ["patch_embed.proj.bias", [D]],
    ...norm("blocks.0.norm1"),
    ...linear("attn.qkv", 3 * D, D, shape.qkvBias !== "none"),
    ...linear("attn.proj", D, D),
    ...norm("blocks.0.norm2"),
    ...(shape.mlp === "swiglu"
      ? [...linear("mlp.w12", 2 * hidden, D), ...linear("mlp.w3", D, hidden)]
      : [...linear("mlp.fc1", hidden, D), ...linear("mlp.fc2", D, hidden)]),
    ...(shape.layerScale === null
      ? []
      : [["blocks.0.ls1.gamma", [D]], ["blocks.0.ls2.gamma", [D]]] as [
        string,
        number[],
      ][]),
    ...norm(shape.fcNorm ? "fc_norm" : "norm"),
  ];
  let at = 0;
  const tensors: Tensors = new Map(entries.map(([name, sizes]) => {
    const size = sizes.reduce((a, b) => a * b, 1);
    return [name, { shape: sizes, data: Float32Array.from({ length: size }, () => at++) }];
  }));
  if (shape.qkvBias === "no_key") {
    tensors.get("blocks.0.attn.qkv.bias")!.data.fill(0, D, 2 * D);
  }
  return [tensors, shape];
}

/** "name: shape" of every tensor, in order of the names. */
const lines = ({ tensors }: Layout) =>
  [...tensors].map(([name, { shape }]) => `${name}: ${shape}`).sort();

/** As {@linkcode lines}, of a text: a `{a,b}` in a name is several. */
const table = (text: string) =>
  text.trim().split(/\s*\n\s*/).flatMap((line) => {
    const [, before, words, after] = /^(.*)\{(.*)\}(.*)$/.exec(line) ?? ["", line, "", ""];
    return words.split(",").map((word) => before + word + after);
  }).sort();

const V2 = { layerScale: 1e-5 } as const;
const V3 = {
  layerScale: 1e-5,
  posEmbed: "rope",
  registers: 4,
  qkvBias: "no_key",
  normEps: 1e-5,
} as const;

Deno.test("ViTModel gets queries, keys and values apart", () => {
  const [tensors, shape] = made({});
  const layout = huggingFaceLayout(tensors, shape);
  assert.deepEqual(
    lines(layout),
    table(`
      embeddings.cls_token: 1,1,24
      embeddings.position_embeddings: 1,17,24
      embeddings.patch_embeddings.projection.weight: 24,3,8,8
      embeddings.patch_embeddings.projection.bias: 24
      encoder.layer.0.attention.attention.{query,key,value}.weight: 24,24
      encoder.layer.0.attention.attention.{query,key,value}.bias: 24
      encoder.layer.0.attention.output.dense.weight: 24,24
      encoder.layer.0.attention.output.dense.bias: 24
      encoder.layer.0.intermediate.dense.weight: 96,24
      encoder.layer.0.intermediate.dense.bias: 96
      encoder.layer.0.output.dense.weight: 24,96
      encoder.layer.0.output.dense.bias: 24
      encoder.layer.0.layernorm_before.{weight,bias}: 24
      encoder.layer.0.layernorm_after.{weight,bias}: 24
      layernorm.{weight,bias}: 24
    `),
  );
  const whole = tensors.get("blocks.0.attn.qkv.weight")!.data;
  const key = layout.tensors.get("encoder.layer.0.attention.attention.key.weight")!.data;
  assert.deepEqual([...key], [...whole.subarray(D * D, 2 * D * D)]);
  assert.deepEqual(layout.config, {
    architectures: ["ViTModel"],
    model_type: "vit",
    hidden_size: 24,
    num_hidden_layers: 1,
    num_attention_heads: 3,
    hidden_act: "gelu",
    layer_norm_eps: 1e-6,
    image_size: 32,
    patch_size: 8,
    num_channels: 3,
    intermediate_size: 96,
    qkv_bias: true,
  });
});

/** What Dinov2Model has of a block, without its MLP. */
const DINOV2_BLOCK = `
  encoder.layer.0.attention.attention.{query,key,value}.weight: 24,24
  encoder.layer.0.attention.attention.{query,key,value}.bias: 24
  encoder.layer.0.attention.output.dense.weight: 24,24
  encoder.layer.0.attention.output.dense.bias: 24
  encoder.layer.0.layer_scale1.lambda1: 24
  encoder.layer.0.layer_scale2.lambda1: 24
  encoder.layer.0.norm1.{weight,bias}: 24
  encoder.layer.0.norm2.{weight,bias}: 24
  embeddings.cls_token: 1,1,24
  embeddings.mask_token: 1,24
  embeddings.position_embeddings: 1,17,24
  embeddings.patch_embeddings.projection.weight: 24,3,8,8
  embeddings.patch_embeddings.projection.bias: 24
  layernorm.{weight,bias}: 24
`;

Deno.test("Dinov2Model takes LayerScale and SwiGLU", () => {
  const plain = huggingFaceLayout(...made(V2));
  assert.deepEqual(
    lines(plain),
    table(`${DINOV2_BLOCK}
      encoder.layer.0.mlp.fc1.weight: 96,24
      encoder.layer.0.mlp.fc1.bias: 96
      encoder.layer.0.mlp.fc2.weight: 24,96
      encoder.layer.0.mlp.fc2.bias: 24
    `),
  );
  assert.equal(plain.config!.model_type, "dinov2");
  assert.equal(plain.config!.use_mask_token, true);
  assert.equal(plain.config!.mlp_ratio, 4);
  const gated = huggingFaceLayout(...made({ ...V2, mlp: "swiglu", mlpHiddenDim: 64 }));
  assert.deepEqual(
    lines(gated),
    table(`${DINOV2_BLOCK}
      encoder.layer.0.mlp.weights_in.weight: 128,24
      encoder.layer.0.mlp.weights_in.bias: 128
      encoder.layer.0.mlp.weights_out.weight: 24,64
      encoder.layer.0.mlp.weights_out.bias: 24
    `),
  );
  assert.equal(gated.config!.use_swiglu_ffn, true);
  assert.equal(gated.config!.mlp_ratio, 4);
  assert.throws(
    () => huggingFaceLayout(...made({ ...V2, mlp: "swiglu", mlpHiddenDim: 65 })),
    /Dinov2Model can hold but found one with SwiGLU .* multiple of 8 \(65\)/,
  );
});

Deno.test("Dinov2WithRegistersModel takes registers; without LayerScale its scales are 1", () => {
  const layout = huggingFaceLayout(...made({ registers: 2 }));
  const { tensors, config, notes } = layout;
  assert.deepEqual(tensors.get("embeddings.register_tokens")!.shape, [1, 2, D]);
  assert.equal(config!.model_type, "dinov2_with_registers");
  assert.equal(config!.num_register_tokens, 2);
  assert.ok(tensors.get("encoder.layer.0.layer_scale2.lambda1")!.data.every((x) => x === 1));
  assert.match(notes.join(), /2 registers has LayerScale too: its scales are 1/);
});

Deno.test("DINOv3ViTModel has no bias of keys", () => {
  const [tensors, shape] = made({ ...V3, mlp: "swiglu", mlpHiddenDim: 40 });
  const layout = huggingFaceLayout(tensors, shape);
  assert.deepEqual(
    lines(layout),
    table(`
      embeddings.cls_token: 1,1,24
      embeddings.mask_token: 1,1,24
      embeddings.register_tokens: 1,4,24
      embeddings.patch_embeddings.weight: 24,3,8,8
      embeddings.patch_embeddings.bias: 24
      layer.0.attention.{q,k,v,o}_proj.weight: 24,24
      layer.0.attention.{q,v,o}_proj.bias: 24
      layer.0.layer_scale1.lambda1: 24
      layer.0.layer_scale2.lambda1: 24
      layer.0.mlp.{gate,up}_proj.weight: 40,24
      layer.0.mlp.{gate,up}_proj.bias: 40
      layer.0.mlp.down_proj.weight: 24,40
      layer.0.mlp.down_proj.bias: 24
      layer.0.norm1.{weight,bias}: 24
      layer.0.norm2.{weight,bias}: 24
      norm.{weight,bias}: 24
    `),
  );
  const { key_bias, query_bias, use_gated_mlp, hidden_act, intermediate_size } = layout.config!;
  assert.deepEqual(
    { key_bias, query_bias, use_gated_mlp, hidden_act, intermediate_size },
    {
      key_bias: false,
      query_bias: true,
      use_gated_mlp: true,
      hidden_act: "silu",
      intermediate_size: 40,
    },
  );
  const up = layout.tensors.get("layer.0.mlp.up_proj.weight")!.data;
  const both = tensors.get("blocks.0.mlp.w12.weight")!.data;
  assert.deepEqual([...up], [...both.subarray(40 * D)]);
});

Deno.test("timm's VisionTransformer keeps our names; registers have no place in its positions", () => {
  const plain = timmLayout(...made({}), "class");
  assert.deepEqual(lines(plain), lines({ ...plain, tensors: made({})[0] }));
  const [tensors, shape] = made({ ...V2, registers: 4 });
  const layout = timmLayout(tensors, shape, "class");
  assert.deepEqual(layout.tensors.get("pos_embed")!.shape, [1, GRID, D]);
  const [token, place] = ["cls_token", "pos_embed"].map((name) => tensors.get(name)!.data);
  const sum = layout.tensors.get("cls_token")!.data;
  assert.deepEqual([...sum], Array.from(token, (x, i) => x + place[i]));
  const gated = timmLayout(...made({ ...V2, mlp: "swiglu", mlpHiddenDim: 64 }), "class");
  assert.deepEqual(gated.tensors.get("blocks.0.mlp.fc1.weight")!.shape, [128, D]);
  assert.match(gated.model, /^timm\.create_model\("vit_giant_patch14_dinov2"/);
});

Deno.test("timm's models are named, with the arguments that they need", () => {
  const small = {
    dim: 384,
    depth: 12,
    heads: 6,
    mlpHiddenDim: 1536,
    imageSize: 224,
    patchSize: 16,
  };
  const [, base] = made({});
  const modelOf = (more: Partial<VitShape>, feature: "class" | "mean" = "class") => {
    const tensors: Tensors = new Map([
      ["cls_token", { shape: [1, 1, 1], data: new Float32Array(1) }],
      ["pos_embed", { shape: [1, 2, 1], data: new Float32Array(2) }],
    ]);
    return timmLayout(tensors, { ...base, ...small, ...more }, feature).model;
  };
  const name = (text: string) => `timm.create_model("${text}, num_classes=0`;
  assert.equal(modelOf({}), `${name('vit_small_patch16_224"')})`);
  assert.equal(modelOf({ patchSize: 8 }), `${name('vit_small_patch8_224"')})`);
  assert.equal(
    modelOf({}, "mean"),
    `${name('vit_small_patch16_224"')}, global_pool="avg", fc_norm=False)`,
  );
  assert.equal(
    modelOf({ ...V2, registers: 4, patchSize: 14, imageSize: 518 }),
    `${name('vit_small_patch14_reg4_dinov2"')})`,
  );
  assert.equal(
    modelOf({ ...V3, imageSize: 256 }),
    `${name('vit_small_patch16_dinov3_qkvb"')}, global_pool="token")`,
  );
  assert.equal(
    modelOf({ normEps: 1e-5, qkvBias: "none" }),
    `${
      name('vit_small_patch16_224"')
    }, qkv_bias=False, norm_layer=partial(torch.nn.LayerNorm, eps=0.00001))`,
  );
});

Deno.test("timm's Eva has biases of queries and values, and halves of SwiGLU", () => {
  const layout = timmLayout(...made({ ...V3, mlp: "swiglu", mlpHiddenDim: 40 }), "class");
  assert.deepEqual(
    lines(layout).filter((line) => line.startsWith("blocks.")),
    table(`
      blocks.0.attn.qkv.weight: 72,24
      blocks.0.attn.{q,v}_bias: 24
      blocks.0.attn.proj.weight: 24,24
      blocks.0.attn.proj.bias: 24
      blocks.0.gamma_1: 24
      blocks.0.gamma_2: 24
      blocks.0.mlp.fc1_{g,x}.weight: 40,24
      blocks.0.mlp.fc1_{g,x}.bias: 40
      blocks.0.mlp.fc2.weight: 24,40
      blocks.0.mlp.fc2.bias: 24
      blocks.0.norm1.{weight,bias}: 24
      blocks.0.norm2.{weight,bias}: 24
    `),
  );
  assert.throws(
    () => timmLayout(...made({ ...V3, qkvBias: "all" }), "class"),
    /timm's Eva can hold but found one with a bias of the keys \(blocks\.0\.attn\.qkv\.bias\)/,
  );
});

Deno.test("facebookresearch's layouts have the buffers of their models", () => {
  const dino = facebookLayout(...made({}));
  assert.deepEqual(lines(dino), lines({ ...dino, tensors: made({})[0] }));
  const dinov2 = facebookLayout(...made({ ...V2, registers: 4 }));
  assert.deepEqual(dinov2.tensors.get("register_tokens")!.shape, [1, 4, D]);
  assert.deepEqual(dinov2.tensors.get("mask_token")!.shape, [1, D]);
  const dinov3 = facebookLayout(...made(V3));
  assert.deepEqual([...dinov3.tensors.get("rope_embed.periods")!.data], [1, 10]);
  const mask = [...dinov3.tensors.get("blocks.0.attn.qkv.bias_mask")!.data];
  assert.deepEqual(mask, [1, 0, 1].flatMap((x) => Array(D).fill(x)));
  assert.ok(dinov3.tensors.has("storage_tokens"));
});

for (
  const [what, more] of [
    ["no class token", { classToken: false }],
    ["a norm after the mean (fc_norm)", { fcNorm: true }],
  ] as const
) {
  Deno.test(`${what}: timm has it, others refuse it`, () => {
    const [tensors, shape] = made(more);
    assert.match(timmLayout(tensors, shape, "class").model, /global_pool="avg"/);
    for (const layout of [huggingFaceLayout, facebookLayout]) {
      assert.throws(() => layout(tensors, shape), ({ message }: Error) => message.includes(what));
    }
  });
}

Deno.test("a ResNet keeps torchvision's names, and has Hugging Face's", () => {
  const layout = (layers: 18 | 50, width: number, names: ExportOptions["names"]) => {
    const resnet = new ResNet({ layers, imageSize: 32, width });
    const tensors: Tensors = new Map(
      resnet.specs().map(({ name, shape }) => {
        return [name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }];
      }),
    );
    return { ...resnetLayout(names, tensors, resnet.config), ours: [...tensors.keys()] };
  };
  const timm = layout(18, 64, "timm");
  assert.equal(timm.model, 'timm.create_model("resnet18", num_classes=0)');
  assert.equal(timm.counters!.length, 20);
  assert.ok(timm.counters!.includes("layer2.0.downsample.1.num_batches_tracked"));
  assert.deepEqual([...timm.tensors.keys()], timm.ours);
  assert.throws(
    () => layout(18, 8, "fb"),
    /torchvision can hold but found one with a first stage of 8 channels, not 64/,
  );
  const hf = layout(50, 4, "hf"), names = [...hf.tensors.keys(), ...hf.counters!];
  const conv = (place: string, outputs: number, inputs: number, side: number) =>
    [
      `${place}.convolution.weight: ${outputs},${inputs},${side},${side}`,
      `${place}.normalization.{weight,bias,running_mean,running_var}: ${outputs}`,
    ].join("\n");
  const found = lines(hf);
  const some = table([
    conv("embedder.embedder", 4, 3, 7),
    conv("encoder.stages.0.layers.0.layer.0", 4, 4, 1),
    conv("encoder.stages.0.layers.0.layer.1", 4, 4, 3),
    conv("encoder.stages.0.layers.0.layer.2", 16, 4, 1),
    conv("encoder.stages.0.layers.0.shortcut", 16, 4, 1),
    conv("encoder.stages.3.layers.2.layer.2", 128, 32, 1),
  ].join("\n"));
  for (const line of some) assert.ok(found.includes(line), line);
  // 53 convolutions, each with six tensors.
  assert.equal(names.length, 53 * 6);
  assert.ok(names.every((name) => /^(embedder|encoder)\./.test(name)));
  const { depths, hidden_sizes, embedding_size, layer_type } = hf.config!;
  assert.deepEqual({ depths, hidden_sizes, embedding_size, layer_type }, {
    depths: [3, 4, 6, 3],
    hidden_sizes: [16, 32, 64, 128],
    embedding_size: 4,
    layer_type: "bottleneck",
  });
});

Deno.test("batch norms count their batches in whole numbers", () => {
  const toy = loadedResnet(18, 4);
  const { files } = exportModel(toy, { ...OPTIONS, names: "hf", part: "backbone" });
  const { tensors } = parseSafetensors(files.get("model.safetensors")!);
  const { dtype, shape, data } = tensors.get(
    "embedder.embedder.normalization.num_batches_tracked",
  )!;
  assert.deepEqual([dtype, shape, [...data]], ["I64", [], [0n]]);
});

const OPTIONS: ExportOptions = {
  to: "safetensors",
  names: "fb",
  dtype: "f32",
  part: "all",
};

Deno.test("numbers are rounded to the nearest, and the file says what it is", () => {
  const toy = loaded(TOY), name = "backbone.norm.weight";
  toy.weights.get("norm.weight")!.set([1 + 2 ** -8, 1 + 3 * 2 ** -8, 1.0001, -1.5]);
  const values = (dtype: ExportOptions["dtype"]) => {
    const { files } = exportModel(toy, { ...OPTIONS, dtype });
    const { tensors, metadata } = parseSafetensors(files.get("model.safetensors")!);
    assert.equal(metadata.format, "pt");
    assert.match(metadata.license, /^not stated/);
    return [...toFloat32(tensors.get(name)!)].slice(0, 4);
  };
  assert.deepEqual(values("bf16"), [1, 1 + 2 ** -6, 1, -1.5]);
  assert.deepEqual(values("f16"), [1 + 2 ** -8, 1 + 3 * 2 ** -8, 1, -1.5]);
  assert.deepEqual(values("f32"), [1 + 2 ** -8, 1 + 3 * 2 ** -8, 1.0001, -1.5].map(Math.fround));
});

Deno.test("a head is exported where there is one", () => {
  const toy = loaded(TOY);
  const { files, model } = exportModel(toy, { ...OPTIONS, part: "head" });
  const { tensors } = parseSafetensors(files.get("model.safetensors")!);
  const heads = toy.model.head!.specs().map(({ name }) => name.replace("head.", ""));
  assert.deepEqual([...tensors.keys()].sort(), heads.sort());
  assert.match(model, /DINOHead\(24, 16, nlayers=3, hidden_dim=20, bottleneck_dim=8\)/);
  assert.throws(
    () => exportModel({ ...toy, hasHead: false }, { ...OPTIONS, part: "head" }),
    /Expected DINO's head in teacher\.safetensors but found none: take --part backbone/,
  );
});
