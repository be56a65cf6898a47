import assert from "node:assert/strict";
import fc from "fast-check";
import { type Config, configDefaults, parseConfig, stringifyConfig } from "../../lib/config.ts";
import { type Json, type Key, sections } from "../../lib/config/describe.ts";
import small from "../../configs/small.yaml" with { type: "text" };
import tiny from "../../configs/tiny.yaml" with { type: "text" };
import vitSmall from "../../configs/vit-small.yaml" with { type: "text" };

Deno.test("configDefaults() are main_dino.py's for a ViT", () => {
  const config = configDefaults();
  const { data, augmentation: defaults, model, loss, optimizer, scheduler, training } = config;
  assert.equal(data.batch_size, 64);
  assert.equal(data.num_workers, 10);
  assert.equal(data.dataset, "emoji");
  assert.deepEqual(
    [defaults.n_global_crops, defaults.num_local_views, defaults.global_crop_size],
    [2, 8, 224],
  );
  assert.deepEqual(
    [defaults.global_crop_scale_min, defaults.global_crop_scale_max, defaults.local_crop_size],
    [0.4, 1, 96],
  );
  assert.deepEqual([defaults.local_crop_scale_min, defaults.local_crop_scale_max], [0.05, 0.4]);
  assert.deepEqual(
    [defaults.brightness, defaults.contrast, defaults.saturation, defaults.hue],
    [0.4, 0.4, 0.2, 0.1],
  );
  assert.deepEqual(
    [
      defaults.gaussian_blur_prob_global_1,
      defaults.gaussian_blur_prob_global_2,
      defaults.gaussian_blur_prob_local,
    ],
    [1, 0.1, 0.5],
  );
  assert.deepEqual(
    [
      defaults.solarization_prob_global_1,
      defaults.solarization_prob,
      defaults.solarization_prob_local,
    ],
    [0, 0.2, 0],
  );
  assert.deepEqual([model.backbone, model.patch_size], ["vit_small", 16]);
  assert.deepEqual([model.dim, model.depth, model.heads, model.mlp_ratio], [384, 12, 6, 4]);
  assert.deepEqual([model.drop_path_rate, model.norm_last_layer, model.pos_interp], [
    0.1,
    true,
    "offset",
  ]);
  assert.deepEqual(
    [
      model.projection_hidden_dim,
      model.projection_bottleneck_dim,
      model.projection_output_dim,
      model.projection_layers,
    ],
    [2048, 256, 65536, 3],
  );
  assert.deepEqual(loss, {
    student_temp: 0.1,
    teacher_temp: 0.04,
    warmup_teacher_temp: 0.04,
    warmup_teacher_temp_epochs: 0,
    center_momentum: 0.9,
    centering: "center",
    koleo_weight: 0,
    chunk_size: null,
  });
  assert.deepEqual(optimizer, {
    optimizer: "adamw",
    lr: 0.0005,
    lr_scale_by_batch: true,
    weight_decay: 0.04,
    weight_decay_end: 0.4,
    betas: [0.9, 0.999],
    eps: 1e-8,
  });
  assert.deepEqual([scheduler.warmup_epochs, scheduler.min_lr, scheduler.warmup_start_lr], [
    10,
    1e-6,
    0,
  ]);
  assert.deepEqual(training, {
    seed: 0,
    num_epochs: 100,
    max_steps: null,
    teacher_momentum: 0.996,
    teacher_momentum_schedule: true,
    teacher_momentum_final: 1,
    gradient_clip: 3,
    freeze_last_layer: 1,
  });
  assert.deepEqual(config.evaluation.knn_k, [10, 20, 100, 200]);
});

Deno.test("parseConfig() works out dataset, shape and k when they are left out or short", () => {
  const config = parseConfig(
    "data: {path: p}\nmodel: {backbone: vit_tiny}\nevaluation: {knn_k: 3}",
  );
  assert.equal(config.data.dataset, "folder");
  assert.deepEqual([config.model.dim, config.model.depth, config.model.heads], [192, 12, 3]);
  assert.deepEqual(config.evaluation.knn_k, [3]);
  assert.equal(parseConfig("model: {backbone: vit_base}").model.dim, 768);
  assert.equal(parseConfig("model: {dim: 384}").model.dim, 384);
});

Deno.test("parseConfig() follows anchors and aliases", () => {
  const config = parseConfig(
    "optimizer: {lr: &rate 1e-3, betas: &two [0.5, 0.6]}\nscheduler: {min_lr: *rate}\n" +
      "loss: &loss {student_temp: 0.2}\n",
  );
  assert.equal(config.scheduler.min_lr, 1e-3);
  assert.deepEqual(config.optimizer.betas, [0.5, 0.6]);
});

Deno.test("configDefaults() gives a new object each time", () => {
  const [a, b] = [configDefaults(), configDefaults()];
  assert.deepEqual(a, b);
  assert.notEqual(a.data, b.data);
  assert.notEqual(a.optimizer.betas, b.optimizer.betas);
});

Deno.test("published recipes are right and say their command", () => {
  for (const [name, text] of [["tiny", tiny], ["small", small]]) {
    const config = parseConfig(text, { file: `configs/${name}.yaml` });
    assert.equal(config.data.dataset, "emoji");
    assert.equal(config.augmentation.global_crop_size, 32);
    assert.match(
      text,
      new RegExp(`^#.*\\n#\\n# Command: +deno task train configs/${name}.yaml\\n`),
    );
  }
});

Deno.test("the recipe of ViT-S/16 is main_dino.py's own", () => {
  assert.match(
    vitSmall,
    /^(#.*\n)+# Command: +deno task train configs\/vit-small\.yaml --data\.path/,
  );
  // A key that a configuration omits takes facebookresearch/dino's default: what it states is the same.
  assert.deepEqual(parseConfig(vitSmall, { file: "configs/vit-small.yaml" }), configDefaults());
});

/** Any value that a key's type accepts. */
function anything(json: Json): fc.Arbitrary<unknown> {
  if (json.anyOf) return fc.oneof(...json.anyOf.map(anything));
  if ("const" in json) return fc.constant(json.const);
  if (json.enum) return fc.constantFrom(...json.enum);
  if (json.prefixItems) return fc.tuple(...json.prefixItems.map(anything));
  switch (json.type) {
    case "array":
      return fc.array(anything(json.items as Json), { minLength: json.minItems, maxLength: 5 });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string":
      return fc.string({ unit: "binary", minLength: 1 });
    case "integer":
      return fc.integer({ min: json.minimum, max: Math.min(json.maximum!, 2 ** 31 - 1) });
    default:
      return fc.double({
        noNaN: true,
        noDefaultInfinity: true,
        min: json.exclusiveMinimum ?? json.minimum,
        minExcluded: json.exclusiveMinimum !== undefined,
        max: json.exclusiveMaximum ?? json.maximum,
        maxExcluded: json.exclusiveMaximum !== undefined,
      });
  }
}

/** Any configuration whose keys fit each other. */
function anyConfig(): fc.Arbitrary<Config> {
  const plain = { noNullPrototype: true } as const;
  const section = (keys: Key[]) =>
    fc.record(Object.fromEntries(keys.map((key) => [key.name, anything(key.json)])), plain);
  const free = fc.record(
    Object.fromEntries(sections().map(({ name, keys }) => [name, section(keys)])),
    plain,
  );
  const order = (section: Record<string, number>, name: string) => {
    const [low, high] = [section[`${name}_min`], section[`${name}_max`]].sort((a, b) => a - b);
    Object.assign(section, { [`${name}_min`]: low, [`${name}_max`]: high });
  };
  return free.map((any) => {
    // deno-lint-ignore no-explicit-any
    const { data, augmentation, model, loss, scheduler, training, evaluation } = any as any;
    data.dataset = data.path === null ? "emoji" : "folder";
    ["global_crop_scale", "local_crop_scale", "aspect_ratio", "gaussian_blur_sigma"]
      .forEach((name) => order(augmentation, name));
    augmentation.global_crop_size = 3 * model.patch_size;
    augmentation.local_crop_size = 2 * model.patch_size;
    model.backbone = "custom";
    model.heads = 1 + (model.heads ?? 0) % 16;
    model.dim = model.heads * (1 + (model.dim ?? 0) % 64);
    model.depth ??= 1;
    model.mlp_ratio = 1 + Math.floor(model.mlp_ratio % 8);
    loss.warmup_teacher_temp_epochs %= training.num_epochs + 1;
    scheduler.warmup_epochs %= training.num_epochs + 1;
    if (loss.chunk_size) loss.chunk_size = 64 * (1 + loss.chunk_size % 100);
    if (data.batch_size === 1) loss.koleo_weight = 0;
    evaluation.knn_k = [evaluation.knn_k].flat();
    return any as unknown as Config;
  });
}

Deno.test("stringifyConfig() gives text that parses to the same configuration (property)", () => {
  fc.assert(
    fc.property(anyConfig(), (config) => {
      assert.deepEqual(parseConfig(stringifyConfig(config)), config);
    }),
    { numRuns: 200 },
  );
});

Deno.test("stringifyConfig() keeps any path when it looks like something else in YAML", () => {
  const paths = ["null", "~", "true", "2024", "0x1f", "1e3", ".nan", "a: b", "a #b", "- x", "x\ny"];
  const more = ["é/ü", "C:\\x", '"', "'", " ", "<<", "/a/b-c_d.e", "\ud800", "\x7f", "\u2028"];
  const config = configDefaults();
  for (const path of [...paths, ...more]) {
    const text = stringifyConfig({ ...config, data: { ...config.data, path, dataset: "folder" } });
    assert.equal(parseConfig(text).data.path, path);
  }
});

Deno.test("stringifyConfig() puts a comment above each section and every key below it", () => {
  const text = stringifyConfig(configDefaults());
  for (const { name, description, keys } of sections()) {
    assert(text.includes(`# ${description}\n${name}:\n  ${keys[0].name}: `), name);
    for (const key of keys) assert(text.includes(`\n  ${key.name}: `), key.path);
  }
  assert(text.includes("  betas: [0.9, 0.999]\n") && text.includes("  path: null\n"));
});
