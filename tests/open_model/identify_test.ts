/** Published checkpoints are recognised by names and shapes alone, and every tensor of their backbones is taken. */
import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config.ts";
import { modelOf } from "../../lib/from_config.ts";
import { matchWeights } from "../../lib/io/weight_names.ts";
import { identify } from "../../lib/open_model/identify/identify.ts";
import { settingsOf } from "../../lib/open_model/identify/settings.ts";
import type { Identified } from "../../lib/open_model/identify/types.ts";
import { type Checkpoint, CHECKPOINTS } from "./checkpoints.ts";
import {
  dinoHead,
  dinov2,
  entriesOf,
  prefixed,
  type Shapes,
  SMALL,
  timmVit,
  TINY,
} from "./published.ts";

const P16 = { patch: 16, grid: 14 };

/** The parameters of the model that a configuration of nothing but the file makes. */
function expectedOf(found: Identified) {
  const config = parseConfig("{}", { overrides: settingsOf(found, new Map()) });
  return modelOf(config).backbone.specs();
}

/** Published checkpoints, each recognised. */
for (const [file, checkpoint] of Object.entries<Checkpoint>(CHECKPOINTS)) {
  Deno.test(`${file} is recognised, and all of its backbone is taken`, () => {
    const entries = entriesOf(checkpoint.shapes);
    const found = identify(entries, { file });
    assert.deepEqual({ ...found.model, ...checkpoint.model }, { ...found.model });
    assert.equal(found.pictures.imageSize, checkpoint.imageSize ?? 224);
    assert.equal(found.pictures.mean![0], checkpoint.mean ?? 0.485);

    const expected = expectedOf(found);
    const matched = matchWeights(file, [...entries.values()], expected, { resizable: true });
    assert.deepEqual(matched.missing, []);
    assert.equal(matched.sources.size, expected.length);
    const taken = [...matched.sources.values()].flatMap(({ values }) =>
      values.flatMap((value) => "tensor" in value ? value.tensor : [])
    );
    assert.equal(new Set(taken).size, taken.length, "a tensor is taken twice");
    const left = [...entries.keys()].filter((name) => !taken.includes(name));
    assert.deepEqual(matched.unused.sort(), left.sort());
    for (const name of left) assert.match(name, checkpoint.unused ?? /^$/);
  });
}

Deno.test("queries, keys and values are one parameter, with zeros for the bias of a key", () => {
  const file = "facebook/dinov3-vits16-pretrain-lvd1689m";
  const entries = [...entriesOf(CHECKPOINTS[file].shapes).values()];
  const { sources } = matchWeights(file, entries, [
    { name: "mask_token", shape: [1, 384] },
    ...expectedOf(identify(entriesOf(CHECKPOINTS[file].shapes), { file })),
  ]);
  const at = "layer.7.attention";
  assert.deepEqual(sources.get("blocks.7.attn.qkv.weight")!.values, [
    { tensor: `${at}.q_proj.weight` },
    { tensor: `${at}.k_proj.weight` },
    { tensor: `${at}.v_proj.weight` },
  ]);
  assert.deepEqual(sources.get("blocks.7.attn.qkv.bias")!.values, [
    { tensor: `${at}.q_proj.bias` },
    { zeros: 384 },
    { tensor: `${at}.v_proj.bias` },
  ]);
  assert.deepEqual(sources.get("mask_token")!.values, [{ tensor: "embeddings.mask_token" }]);
});

Deno.test("a masked bias is 0 in the middle; a position embedding gets an entry for the class token", () => {
  const v3 = "dinov3_vits16_pretrain_lvd1689m.pth", reg = "timm/vit_base_patch14_reg4_dinov2";
  const sourcesOf = (file: string) => {
    const entries = entriesOf(CHECKPOINTS[file].shapes);
    const expected = expectedOf(identify(entries, { file }));
    return matchWeights(file, [...entries.values()], expected, { resizable: true }).sources;
  };
  assert.deepEqual(sourcesOf(v3).get("blocks.0.attn.qkv.bias")!.masked, [384, 768]);
  const { values, resize } = sourcesOf(reg).get("pos_embed")!;
  assert.deepEqual(values, [{ zeros: 768 }, { tensor: "pos_embed" }]);
  assert.deepEqual(resize, { before: 1, from: 37, to: 16 });
});

const plain = timmVit({ ...SMALL, ...P16 });

Deno.test("a network is found whatever stands before its names, or as it is asked for", () => {
  const prefixes = [
    "module.",
    "_orig_mod.module.",
    "state_dict.model.",
    "state_dict.teacher_embedding_model.wrapped_model._model.",
    "encoder.",
    "model_ema.module.",
    "state_dict_ema.",
    "vit.",
    "dinov2.",
  ];
  for (const prefix of prefixes) {
    const found = identify(entriesOf(prefixed(prefix, plain)), { file: "f" });
    assert.equal(found.model.dim, 384, prefix);
  }
  const two: Shapes = {
    ...prefixed("student.backbone.", plain),
    ...prefixed("teacher.backbone.", timmVit({ ...TINY, ...P16 })),
    ...dinoHead("teacher.head", 192, 512),
    ...prefixed("gram_teacher.backbone.", plain),
    ...prefixed("optimizer.state.exp_avg.", plain),
  };
  const dimOf = (part?: string) => identify(entriesOf(two), { file: "f", part }).model.dim;
  assert.deepEqual(
    [undefined, "teacher", "student", "student.backbone", "gram_teacher", "backbone"].map(dimOf),
    [192, 192, 384, 384, 384, 192],
  );
  assert.throws(
    () => dimOf("other"),
    /Expected a network other in f but found "student\.backbone"/,
  );
  const equal = { ...prefixed("left.", plain), ...prefixed("right.", plain) };
  assert.throws(
    () => identify(entriesOf(equal), { file: "f" }),
    /Expected one network in f but found "left", "right": name one behind the file, f#left/,
  );
});

Deno.test("layers of Hugging Face's DINOv3 may have model. before them", () => {
  const { shapes, model } = CHECKPOINTS["facebook/dinov3-vits16plus-pretrain-lvd1689m"];
  const newer = Object.fromEntries(
    Object.entries(shapes).map((
      [name, shape],
    ) => [name.replace(/^layer\./, "model.layer."), shape]),
  );
  const found = identify(entriesOf(newer), { file: "f" });
  assert.deepEqual({ ...found.model, ...model }, { ...found.model });
});

Deno.test("DINO's head of a checkpoint is taken on request, that of a file of this project unless it is left out", () => {
  const shapes = { ...prefixed("teacher.backbone.", plain), ...dinoHead("teacher.head", 384, 512) };
  const projection = {
    projection_output_dim: 512,
    projection_bottleneck_dim: 256,
    projection_layers: 3,
    projection_hidden_dim: 2048,
  };
  const projectionOf = (part?: string) =>
    identify(entriesOf(shapes), { file: "f", part }).projection;
  for (const part of ["head", "teacher.head"]) assert.deepEqual(projectionOf(part), projection);
  for (const part of [undefined, "teacher", "backbone", "teacher.backbone"]) {
    assert.equal(projectionOf(part), undefined, part);
  }
  const normed = { ...shapes, "teacher.head.mlp.5.weight": [2048] };
  assert.equal(identify(entriesOf(normed), { file: "f", part: "head" }).projection, undefined);
  // Files of this project have no prefix: what lies in them belongs together.
  const own = entriesOf({ ...plain, ...dinoHead("head", 384, 512) });
  assert.deepEqual(identify(own, { file: "f" }).projection, projection);
  assert.equal(identify(own, { file: "f", part: "backbone" }).projection, undefined);
});

Deno.test("heads that nothing tells are asked for", () => {
  const odd = entriesOf(timmVit({ dim: 48, depth: 1, heads: 0, patch: 4, grid: 2 }));
  assert.throws(
    () => identify(odd, { file: "f" }),
    /Expected the number of attention heads of f but neither its shapes nor its width 48 tell: give a configuration with model\.heads N .*config\.yaml/,
  );
  assert.throws(
    () => identify(odd, { file: "f", commandLine: true }),
    /width 48 tell: say it, --model\.heads N .*name the folder of its run/,
  );
  assert.equal(identify(odd, { file: "f", heads: 3 }).model.heads, 3);
  assert.equal(
    identify(odd, { file: "f", config: { num_attention_heads: 2 } }).model.heads,
    2,
  );
  assert.throws(() => identify(odd, { file: "f", heads: 7 }), /heads that divide the width 48/);
});

Deno.test("config.json and preprocessor_config.json say what shapes do not", () => {
  const entries = entriesOf(dinov2({ ...SMALL, patch: 14, grid: 37 }));
  const preprocessor = {
    crop_size: { height: 280, width: 280 },
    do_center_crop: true,
    image_mean: [0.1, 0.2, 0.3],
    image_std: [0.4, 0.5, 0.6],
    size: { shortest_edge: 300 },
  };
  const { pictures } = identify(entries, { file: "f", preprocessor });
  assert.deepEqual(pictures, {
    imageSize: 280,
    mean: [0.1, 0.2, 0.3],
    std: [0.4, 0.5, 0.6],
    from: "of preprocessor_config.json",
  });
  const timm = {
    architecture: "vit_small_patch16_224",
    global_pool: "token",
    pretrained_cfg: { input_size: [3, 256, 256], mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  };
  const found = identify(entriesOf(plain), { file: "f", config: timm });
  assert.equal(found.model.pos_interp, "antialias");
  assert.deepEqual([found.pictures.imageSize, found.pictures.mean![0]], [256, 0.5]);
  const eps = identify(entriesOf(plain), { file: "f", config: { layer_norm_eps: 1e-12 } });
  assert.equal(eps.model.norm_eps, 1e-12);
  assert.throws(
    () => identify(entriesOf(plain), { file: "f", config: { hidden_act: "quick_gelu" } }),
    /Expected hidden_act gelu or silu in the config\.json of f but found quick_gelu/,
  );
  // What others have written may be anything.
  for (const config of [null, 3, "x", [], { num_attention_heads: "6" }, { image_size: -1 }]) {
    assert.equal(
      identify(entriesOf(plain), { file: "f", config, preprocessor: config }).model.heads,
      6,
    );
  }
});

Deno.test("timm's mean pool is told by its norm, and models without a class token by the lack of it", () => {
  const { "norm.weight": weight, "norm.bias": bias, ...rest } = plain;
  const pooled = identify(entriesOf({ ...rest, "fc_norm.weight": weight, "fc_norm.bias": bias }), {
    file: "f",
  });
  assert.deepEqual([pooled.model.fc_norm, pooled.model.feature], [true, "mean"]);
  const { cls_token: _, ...bare } = plain;
  const { model } = identify(entriesOf({ ...bare, pos_embed: [1, 196, 384] }), { file: "f" });
  assert.deepEqual([model.class_token, model.feature], [false, "mean"]);
});

Deno.test("what is no known model is refused, with what was found", () => {
  assert.throws(
    () => identify(entriesOf({ "layers.0.weight": [3, 3] }), { file: "f" }),
    /Expected the weights of a vision transformer or a ResNet in f but found neither/,
  );
  const { pos_embed: _, ...placeless } = plain;
  assert.throws(
    () => identify(entriesOf(placeless), { file: "f" }),
    /Expected pos_embed, or DINOv3/,
  );
  const next = { "conv1.weight": [64, 3, 7, 7], "layer1.0.conv1.weight": [64, 64, 3, 3] };
  assert.throws(
    () => identify(entriesOf(next), { file: "f" }),
    /Expected ResNet-18, 34, 50, 101 or 152 in f but found stages of 1,0,0,0/,
  );
});
