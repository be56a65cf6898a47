import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config.ts";
import { allKeys } from "../../lib/config/describe.ts";
import type { Json } from "../../lib/config/kinds.ts";
import { leastBytes, modelSize } from "../../lib/config/rules_size.ts";
import { modelOf } from "../../lib/from_config.ts";
import emoji from "../../configs/emoji.yaml" with { type: "text" };
import mnist from "../../configs/mnist.yaml" with { type: "text" };
import small from "../../configs/small.yaml" with { type: "text" };
import tiny from "../../configs/tiny.yaml" with { type: "text" };

const MODELS: Record<string, string> = {
  "the defaults": "{}",
  "configs/emoji.yaml": emoji,
  "configs/mnist.yaml": mnist,
  "configs/small.yaml": small,
  "configs/tiny.yaml": tiny,
  "a head of one layer": "model: {projection_layers: 1, backbone: vit_tiny}",
  "a head of five layers": "model: {projection_layers: 5, mlp_ratio: 2.5}",
  "registers, LayerScale and SwiGLU":
    "model: {registers: 4, layer_scale: 1.0e-5, mlp: swiglu, mlp_hidden_dim: 1000}",
  "RoPE and no bias of keys": "model: {pos_embed: rope, qkv_bias: no_key, backbone: vit_tiny}",
  "patches alone": "model: {class_token: false, feature: mean, fc_norm: true, qkv_bias: none}",
};

for (const [what, text] of Object.entries(MODELS)) {
  Deno.test(`modelSize() counts the parameters of ${what}`, () => {
    const config = parseConfig(text);
    const specs = modelOf(config).specs();
    const counted = specs.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const parts = modelSize(config, config.model);
    assert.equal(parts.reduce((sum, { parameters }) => sum + parameters, 0), counted);
  });

  Deno.test(`leastBytes() counts the state and the pictures of a step of ${what}`, () => {
    const config = parseConfig(text);
    const { model, views } = leastBytes(config, config.model);
    const parameters = modelSize(config, config.model).reduce((sum, p) => sum + p.parameters, 0);
    assert.equal(model, 20 * parameters);
    const { data: { batch_size: batch }, augmentation: a, model: { in_chans: channels } } = config;
    assert(views >= 4 * batch * a.n_global_crops * channels * a.global_crop_size ** 2);
  });
}

/** Numbers that only say how often, after how many or of how many at most: nothing is made of that size. */
const HARMLESS = [
  "training.seed",
  "training.max_steps",
  "training.max_skipped_steps",
  "checkpoint.save_every_n_epochs",
  "checkpoint.save_every_n_iters",
  "checkpoint.keep_last_n",
  "checkpoint.keep_every_n_epochs",
  "logging.log_every_n_iters",
  "evaluation.knn_k",
  "evaluation.every_n_epochs",
  "evaluation.max_images",
  "device.memory_bytes",
];

Deno.test("every number has an upper limit that means something, or needs none", () => {
  const limits = (json: Json): number[] => {
    if (json.anyOf) return json.anyOf.flatMap(limits);
    if (json.type === "array") {
      return json.prefixItems ? json.prefixItems.flatMap(limits) : limits(json.items as Json);
    }
    if (json.type !== "integer" && json.type !== "number") return [];
    return [json.maximum ?? json.exclusiveMaximum ?? Infinity];
  };
  const free = allKeys().filter(({ json }) =>
    limits(json).some((most) => most === Number.MAX_SAFE_INTEGER || most > 1e38)
  );
  assert.deepEqual(free.map(({ path }) => path), HARMLESS);
});

Deno.test("the steps of a run can be counted exactly, whatever the pictures", () => {
  const { json } = allKeys().find(({ path }) => path === "training.num_epochs")!;
  assert(json.maximum! * 2 ** 32 < Number.MAX_SAFE_INTEGER);
});
